"""The public names for type checkers and editors; `__init__.py` loads the same on first use."""

from sgan_tf.config.presets import make_config as make_config
from sgan_tf.config.schema import Config as Config
from sgan_tf.config.schema import EncoderConfig as EncoderConfig
from sgan_tf.config.schema import JointConfig as JointConfig
from sgan_tf.config.schema import LevelConfig as LevelConfig
from sgan_tf.config.validation import ConfigError as ConfigError
from sgan_tf.data.datasets import ImageDataset as ImageDataset
from sgan_tf.data.datasets import load_dataset as load_dataset
from sgan_tf.errors import DataError as DataError
from sgan_tf.errors import RunError as RunError
from sgan_tf.errors import UserError as UserError
from sgan_tf.evaluation.inspection import inspect_layers as inspect_layers
from sgan_tf.models.build import build as build
from sgan_tf.models.encoder.encoder import Encoder as Encoder
from sgan_tf.models.entropy import EntropyLoss as EntropyLoss
from sgan_tf.models.level_gan import LevelGAN as LevelGAN
from sgan_tf.models.losses import Adversarial as Adversarial
from sgan_tf.models.networks.discriminators import Discriminator as Discriminator
from sgan_tf.models.sampling import Decomposition as Decomposition
from sgan_tf.models.sampling import StackSampler as StackSampler
from sgan_tf.models.stacked_gan import StackedGAN as StackedGAN
from sgan_tf.runs.checkpoint import Checkpoint as Checkpoint
from sgan_tf.runs.checkpoint import CheckpointError as CheckpointError
from sgan_tf.runs.run import Run as Run
from sgan_tf.saving.load import load as load
from sgan_tf.saving.pretrained import list_pretrained as list_pretrained
from sgan_tf.saving.save import save as save
from sgan_tf.training.invert import invert as invert
from sgan_tf.training.options import Hyperparameters as Hyperparameters
from sgan_tf.training.options import TrainingOptions as TrainingOptions
from sgan_tf.training.pipeline import Pipeline as Pipeline

__version__: str
