"""Values that several tests take."""

SHORT = ["--epochs", "2", "--sample_every", "0"]  # flags of train.py
DIGITS = [str(digit) for digit in range(10)]  # names of classes
# All parts of the recommended recipe at once, on digits: `name=value` of make_config and --set.
RECIPE = [
    "flip=true",
    *(
        f"levels.0.{setting}"
        for setting in (
            "g_family=pyramid",
            "g_channels=[32,16]",
            "g_modulation=8",
            "condition_norm=true",
            "d_family=halved",
            "d_channels=[16,32]",
            "d_batch_norm=false",
            "d_spectral=true",
            "d_projection=[labels,condition]",
            "d_features=[pool1,pool2]",
            "input_noise=0",
            "adversarial=hinge",
            "loss_units=variance",
            "lambda_ent=0.8",
            "cond_augment=[flip,shift]",
            "augment=[translation,color,cutout]",
            "regularizers.r1=0.1",
            "regularize_every=4",
            "decay_from=0.5",
            "ema=0.9",
        )
    ),
    "levels.1.ema=0.9",
    "levels.1.d_spectral=true",
    "joint.decay_from=0",
]
