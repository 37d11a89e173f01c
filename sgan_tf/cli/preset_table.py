"""Prints the table of `train.py --list_presets`."""


def list_presets() -> None:
    """Prints one row per preset, on the data set that it is named after and cut at fc3."""
    from sgan_tf.config.presets import PRESETS, make_config

    layout = "{:25}  {:7}  {:>7}  {:>6}  {:>6}  {:>5}  {:>5}  {}"
    stages = ("encoder", "level0", "level1", "joint")
    print(layout.format("preset", "data", *stages, "batch", "widths, first to last"))
    for name in PRESETS:
        config = make_config(name.split("-")[0], name)
        image = config.levels[0]
        assert image.generator is not None and image.discriminator is not None  # of every preset
        widths = {"G_0": image.generator.channels, "D_0": image.discriminator.channels}
        print(
            layout.format(
                name,
                config.dataset,
                *(settings.epochs for settings in config.sections().values()),
                config.batch_size,
                ", ".join(f"{net} {sizes[0]}-{sizes[-1]}" for net, sizes in widths.items()),
            )
        )
    print("\nUnder each stage its epochs. All settings: --dataset DATA --preset PRESET --dry_run")
