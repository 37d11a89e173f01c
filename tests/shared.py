"""Values that several tests take."""

SHORT = ["--epochs", "2", "--sample_every", "0"]  # flags of train.py
DIGITS = [str(digit) for digit in range(10)]  # names of classes
