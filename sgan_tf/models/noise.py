"""What z is drawn from: distributions as functions of draws that are uniform on [0, 1)."""

from keras import ops


class Uniform:
    """Uniform on [0, 1), as in the release."""

    name, mean, variance, text = "uniform", 0.5, 1 / 12, "uniform on [0, 1)"

    def of_uniform(self, u):
        """Returns noise `[N, z_dim]` of draws that are uniform on [0, 1)."""
        return u

    def clip(self, z):
        """Returns estimates of noise moved to where noise lies."""
        return ops.clip(z, 0, 1)


class Normal:
    """Standard normal: by the inverse of its distribution function, at the middle of each step."""

    name, mean, variance, text = "normal", 0.0, 1.0, "standard normal"

    def of_uniform(self, u):
        return 2**0.5 * ops.erfinv(2 * u - 1 + 2.0**-23)  # draws are multiples of 2^-23

    def clip(self, z):
        return z


NOISE = {noise.name: noise for noise in (Uniform(), Normal())}
