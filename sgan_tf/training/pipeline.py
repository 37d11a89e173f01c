"""`Pipeline`: trains the encoder, each level from the bottom up, then all levels jointly."""

import logging
from collections.abc import Callable, Iterable

from sgan_tf.config.schema import Config
from sgan_tf.data.datasets import ImageDataset
from sgan_tf.errors import RunError
from sgan_tf.models.encoder.encoder import Encoder
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.runs.classifier_copy import builder
from sgan_tf.runs.run import Run
from sgan_tf.training.encoder_stages import EncoderStage, UnlabelledEncoderStage
from sgan_tf.training.options import TrainingOptions
from sgan_tf.training.stages import JointStage, LevelStage, Material, Stage
from sgan_tf.training.trainer import Trainer

log = logging.getLogger("sgan_tf")


class Pipeline:
    """Trains the stages of a configuration on a data set, and resumes what the run folder holds.

    Args:
        config: `Config`. The configuration, which is the run's if the run was opened with one.
        run: `Run`. The opened run.
        dataset: `ImageDataset`. The images.
        build: Function `(config, image_shape, class_names, mean=None, joint=False)` that returns an
            `Encoder` and a `StackedGAN` of your own networks. Settings of the configuration that it
            does not use have no effect. Defaults to `models.build.build`, around the run's
            classifier if it has one.
        options: `TrainingOptions`. Defaults to `TrainingOptions()`.

    Attributes:
        encoder: `Encoder`, as far as it is trained.
        stack: `StackedGAN`, as far as it is trained.

    Raises:
        RunError: when the run was begun on other images.

    Example:

    >>> import tempfile
    >>> from sgan_tf import Run, load_dataset, make_config
    >>> config = make_config("digits", epochs=1, overrides=["levels.0.generator.channels=[8]"])
    >>> run = Run.open(tempfile.mkdtemp(), config)
    >>> stack = Pipeline(config, run, load_dataset("digits")).train(["encoder"])
    >>> run.progress("encoder").done
    True
    """

    def __init__(
        self,
        config: Config,
        run: Run,
        dataset: ImageDataset,
        build: Callable | None = None,
        options: TrainingOptions | None = None,
    ) -> None:
        options = options or TrainingOptions()
        self.run, self.strategy = run, options.strategy
        run.record_facts(dataset)
        with self.strategy.scope():
            self.material = Material(config, run, dataset, build or builder(run), options.scoring)
        self.stages = plan(self.material)
        self.trainer = Trainer(run, config.batch_size, options)

    @property
    def encoder(self) -> Encoder:
        return self.material.encoder

    @property
    def stack(self) -> StackedGAN:
        return self.material.stack

    def train(self, stages: Iterable[str] | None = None) -> StackedGAN:
        """Trains the named stages that are not finished.

        Finished stages are loaded, whether they are named or not. So stages that are trained one by
        one end with the same weights as stages that are trained by one call.

        Args:
            stages: Iterable of strings. The names of the stages. Defaults to all stages.

        Returns:
            The `StackedGAN`, as far as it is trained.

        Raises:
            RunError: when a stage needs another that is neither finished nor named.
        """
        finished = set()
        for stage in self.stages:
            wanted = stages is None or stage.name in stages
            if self._restore(stage):
                finished.add(stage.name)
                if wanted:
                    log.info("%s is finished already", stage.name)
            elif wanted:
                missing = [name for name in stage.needs if name not in finished]
                if missing:
                    raise RunError(
                        f"`stages`: {stage.name} needs {missing[0]}, which is not finished; add it "
                        "to `stages`"
                    )
                with self.strategy.scope():
                    model = stage.prepare()
                self.trainer.train(stage, model)
                stage.finish(model)
                finished.add(stage.name)
        return self.stack

    def seconds_per_step(self, steps: int) -> list[float]:
        """Measures the steps of every stage with untrained networks, and writes nothing.

        Args:
            steps: Integer. The number of steps that are measured.

        Returns:
            List of floats. The mean seconds per step, one per stage.
        """
        return [self.trainer.seconds_per_step(stage, steps) for stage in self.stages]

    def _restore(self, stage):
        """Loads a stage if it is finished, and returns whether it is."""
        progress = self.run.progress(stage.name)
        if not progress.done or progress.step < self.material.steps(stage.epochs):
            return False
        with self.strategy.scope():
            model = stage.prepare()
        self.run.checkpoint(stage.name).load(model.networks())
        stage.finish(model)
        return True


def plan(material: Material) -> list[Stage]:
    """Returns the stages of a configuration in the order of training.

    Args:
        material: `Material`. What the stages share, with the configuration.

    Returns:
        List of `Stage`.
    """
    config, trained = material.config, material.config.stages()
    encoder = EncoderStage if config.labels == "given" else UnlabelledEncoderStage
    indices = [i for i in range(len(config.levels)) if f"level{i}" in trained]
    levels = [LevelStage(material, i) for i in indices]
    joint = [JointStage(material, [s.name for s in levels])] if "joint" in trained else []
    return [encoder(material), *levels, *joint]
