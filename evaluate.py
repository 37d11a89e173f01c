from sgan_tf.programs.evaluate import main

if __name__ == "__main__":
    main()
