"""How many images of each class the scores by class compare."""

from sgan_tf.evaluation.view import View

ORDER = 24
SCORES = {
    "class_images_(?P<class>.+)": "number of images that fcd_class, precision_class and "
    "recall_class take of the class: of samples as many as of real test images, so that few of "
    "them bias both alike"
}
BEST = max


def measure(view: View) -> dict[str, float]:
    if not view.judge_knows:
        return {}
    return {
        f"class_images_{name}": float(count)
        for name, count in zip(view.class_names, view.class_images)
    }
