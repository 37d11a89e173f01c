"""The names of an export's signatures and of their tensors, for all who write or call them.

A signature takes and returns tensors by their names, a row for each image; see
docs/reference/signatures.md.
"""

# Signatures
DEFAULT = "serving_default"  # samples of new noise; what a request that names none gets
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
    """Returns the name of the signature that makes images of h_level: `render`, `render2`, …"""
    return _numbered("render", level)


def features(level: int) -> str:
    """Returns the name of the tensor of h_level: `features`, `features2`, …"""
    return _numbered("features", level)


def noise(level: int) -> str:
    """Returns the name of the tensor of z_level: `z0`, `z1`, …"""
    return f"z{level}"


def _numbered(name, level):
    return name if level == 1 else f"{name}{level}"  # the first exports knew h_1 alone
