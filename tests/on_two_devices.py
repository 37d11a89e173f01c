"""A program on two logical CPU devices that stand in for GPUs, which is all that changes.

python on_two_devices.py train --epochs 1
"""

import importlib
import sys

import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
importlib.import_module(f"sgan_tf.cli.{sys.argv.pop(1)}").main()
