"""The stages of the encoder: a classifier trained on labels, or features trained without them."""

import json
import logging

import keras
import numpy as np
import tensorflow as tf

from sgan_tf.errors import RunError
from sgan_tf.models.batched import in_batches
from sgan_tf.models.build import seeded
from sgan_tf.models.encoder.adapters import FeatureStatistics
from sgan_tf.models.encoder.clusters import agreement, k_means, nearest_centroid
from sgan_tf.models.encoder.self_supervised import UnlabelledEncoder
from sgan_tf.models.layers.images import unit_images
from sgan_tf.models.trainable import TrainedModel
from sgan_tf.training.stages import FEATURE_BATCH, Material, Stage
from sgan_tf.utils.labels import clusters

log = logging.getLogger("sgan_tf")
NEAR_CHANCE = 1.5  # times the accuracy of guessing: below it, the log warns of the encoder


class EncoderStage(Stage):
    """Trains the encoder as a classifier. Your own classifier is finished from the beginning.

    Args:
        material: `Material`. The images and networks of the run.
    """

    def __init__(self, material: Material) -> None:
        settings = material.config.encoder
        super().__init__(material, "encoder", settings.epochs)

    def prepare(self) -> TrainedModel:
        material = self.material
        if not self.epochs:
            if not material.run.progress(self.name).done:
                raise RunError(
                    f"`run_dir`: {material.run.path} lacks checkpoints/encoder.safetensors; name "
                    "the classifier with `encoder` again, which writes it"
                )
            return material.encoder
        model, settings = self.model(), material.config.encoder
        steps = material.steps(self.epochs)
        schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
        model.compile(keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay))
        return model

    def model(self) -> TrainedModel:
        """Returns the model that is trained."""
        return self.material.encoder

    def arrays(self) -> list[np.ndarray]:
        return [self.material.dataset.train_images, self.material.dataset.train_labels]

    def augmentation(self) -> dict:
        settings = self.material.config.encoder
        return {"flip": settings.flip, "shift": settings.shift}

    def finish(self, model: TrainedModel) -> None:
        self.material.encoder.trainable = False
        run = self.material.run
        if not (run.path / "encoder.json").exists():
            run.write("encoder.json", json.dumps(self.facts()) + "\n")

    def facts(self) -> dict:
        """Measures the encoder, and logs the result.

        Returns:
            A dictionary for JSON, the content of encoder.json.
        """
        data = self.material.dataset
        accuracy = float(
            np.mean(self.material.encoder.classify(data.test_images) == data.test_labels)
        )
        count, chance = len(data.test_labels), 1 / data.num_classes
        log.info("encoder: test accuracy %.4f on %d images", accuracy, count)
        if accuracy < NEAR_CHANCE * chance:
            train_longer = "train it longer (encoder.epochs), or look at the labels"
            check_inputs = "look at what it expects of images, and at the order of its classes"
            log.warning(
                "encoder: that is near chance (%.4f for %d classes): its features say little of "
                "the classes, and so will the images of a stack that inverts it; %s",
                chance,
                data.num_classes,
                train_longer if self.epochs else check_inputs,
            )
        return {"test_accuracy": round(accuracy, 4), "test_images": count}


class UnlabelledEncoderStage(EncoderStage):
    """Trains the encoder without labels. With `clusters:K`, its last layer labels the images.

    After the last step, fc3 is scaled to units of its spread. With `clusters:K`, K centroids of the
    training images' fc3 then become the last layer.
    """

    def model(self) -> UnlabelledEncoder:
        material = self.material
        seed = material.seed("expander")
        with seeded(seed):
            return UnlabelledEncoder(material.encoder, material.config.encoder, seed)

    def augmentation(self) -> dict:
        return {}  # the views are the augmentation

    def settle(self, model: UnlabelledEncoder) -> None:
        fc3, fc4 = model.network.get_layer("fc3"), model.encoder.stages[-1].get_layer("fc4")
        trunk = tf.function(lambda batch: model.network(unit_images(batch), training=False))
        h = in_batches(trunk, [self.material.dataset.train_images], FEATURE_BATCH)
        statistics = FeatureStatistics("fc3")
        statistics.add(h)
        # As in `Standardized`. A ReLU preserves a unit's scale, so the weights can absorb it.
        scale = statistics.standardization().scale
        for weights in (fc3.kernel, fc3.bias):
            weights.assign(weights.numpy() / scale)
        count = clusters(self.material.config.labels)
        if count:
            h = h / scale
            kernel, bias = nearest_centroid(h, k_means(h, count, self.material.config.seed))
            fc4.kernel.assign(kernel)
            fc4.bias.assign(bias)

    def finish(self, model: TrainedModel) -> None:
        material = self.material
        if clusters(material.config.labels):
            data = material.dataset
            named = map(material.encoder.classify, (data.train_images, data.test_images))
            material.dataset = data.assigned(*named)
        super().finish(model)

    def facts(self) -> dict:
        data, objective = self.material.dataset, self.material.config.encoder.objective
        counts = np.bincount(data.train_labels, minlength=data.num_classes)
        facts = {"objective": objective, "class_counts": counts.tolist()}
        if data.num_classes > 1:
            log.info("encoder: clusters of %d to %d images", counts.min(), counts.max())
            assert data.source is not None  # since the labels are not used
            if data.source.num_classes > 1:
                facts |= self._cluster_agreement(data.train_labels, data.source.train_labels)
        return facts

    def _cluster_agreement(self, found, classes):
        """Measures how well the clusters and classes of the training images agree, and logs it."""
        from sklearn.metrics import normalized_mutual_info_score

        purity, visible = agreement(found, classes)
        shared = normalized_mutual_info_score(classes, found)
        log.info(
            "encoder: purity %.4f: that share of the training images are of the class that is most "
            "frequent in their cluster; in %.0f %% of the clusters it is over half; normalised "
            "mutual information %.4f",
            purity,
            100 * visible,
            shared,
        )
        numbers = {"purity": purity, "visible_clusters": visible, "mutual_information": shared}
        return {name: round(float(number), 4) for name, number in numbers.items()}
