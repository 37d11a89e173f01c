"""The stacks that come with the package: one folder per stack, as `sgan_tf.save` writes it."""
