"""Values that several tests take."""

SHORT = ["--epochs", "2", "--sample_every", "0"]  # flags of train.py
DIGITS = [str(digit) for digit in range(10)]  # names of classes
# All parts of the recommended recipe at once, on digits: `name=value` of make_config and --set.
RECIPE = [
    "flip=true",
    *(
        f"levels.0.{setting}"
        for setting in (
            "generator.family=pyramid",
            "generator.channels=[32,16]",
            "generator.modulation=8",
            "generator.condition_norm=true",
            "discriminator.family=halved",
            "discriminator.channels=[16,32]",
            "discriminator.batch_norm=false",
            "discriminator.spectral_norm=true",
            "discriminator.projection=[labels,condition]",
            "features=[pool1,pool2]",
            "discriminator.input_noise=0",
            "loss.adversarial=hinge",
            "loss.units=variance",
            "loss.lambda_ent=0.8",
            "loss.cond_augment=[flip,shift]",
            "loss.augment=[translation,color,cutout]",
            "loss.regularizers.r1=0.1",
            "loss.regularize_every=4",
            "optimizer.decay_from=0.5",
            "ema=0.9",
        )
    ),
    "levels.1.ema=0.9",
    "levels.1.discriminator.spectral_norm=true",
    "joint.optimizer.decay_from=0",
]
