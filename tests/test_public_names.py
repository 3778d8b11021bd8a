"""The names users write: they exist, they are listed, and importing them is quick."""

import subprocess
import sys

import pytest

import infomax


@pytest.mark.parametrize("name", infomax.__all__)
def test_every_public_name_is_there(name):
    assert getattr(infomax, name) is not None
    assert name in dir(infomax)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = infomax.nonsense


def test_the_formula_of_the_readme_is_python():
    from infomax import Context, I, augment, bounds, encoders

    picture = Context().signal("picture")
    conv = encoders.ConvNet(channels=1)
    a, b = picture.augment(augment.crop_flip()), picture.augment(augment.crop_flip())
    z_a, z_b = a.encode(conv), b.encode(conv)
    middle = a.encode(conv, at="stage2")
    objective = I(z_a, z_b) + 0.5 * I(middle, z_b, bound=bounds.JS)
    objective.check()
    assert len(objective.terms) == 2


def test_importing_infomax_and_asking_for_help_load_nothing_heavy():
    code = (
        "import sys, infomax, infomax.cli; "
        "print([m for m in ('torch','sklearn','datasets','pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
