from sgan_tf.programs.train import main

if __name__ == "__main__":
    main()
