from sgan_tf.programs.export import main

if __name__ == "__main__":
    main()
