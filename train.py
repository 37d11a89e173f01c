from sgan_tf.cli import programs

if __name__ == "__main__":
    programs.train()
