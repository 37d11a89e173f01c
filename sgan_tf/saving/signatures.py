"""The names of an export's signatures and of their tensors.

A signature takes and returns named tensors with one row per image; see
docs/reference/signatures.md.
"""

# Signatures
DEFAULT = "serving_default"  # samples new noise; used by requests that name no signature
SAMPLE_SEEDED = "sample_seeded"
SAMPLE_PNG = "sample_png"
DECODE = "decode"
ENCODE = "encode"
VARIATIONS = "variations"
DESCRIBE = "describe"
LOOKUP = "lookup"

# Tensors
LABELS = "labels"
SEEDS = "seeds"
IMAGES = "images"
IMAGE_BYTES = "image_bytes"
PROBABILITIES = "probabilities"
CLASS_NAMES = "names"
NOISE_KINDS = "noise"


def render(level: int) -> str:
    """Returns the name of the signature that makes images from h_level: `render`, `render2`, …

    Args:
        level: Integer. The level, at least 1.
    """
    return _numbered("render", level)


def features(level: int) -> str:
    """Returns the name of the tensor of h_level: `features`, `features2`, …

    Args:
        level: Integer. The level, at least 1.
    """
    return _numbered("features", level)


def noise(level: int) -> str:
    """Returns the name of the tensor of z_level: `z0`, `z1`, …

    Args:
        level: Integer. The level, at least 0.
    """
    return f"z{level}"


def _numbered(name, level):
    return name if level == 1 else f"{name}{level}"  # the first exports had h_1 only
