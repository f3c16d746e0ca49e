"""The palette: nothing depends on colour alone, and everything can be read."""

import itertools
from xml.etree import ElementTree as ET

import pytest

from edasim.errors import UnknownNameError
from edasim.kernel.runlog import OUTCOMES
from edasim.viz import palette

MARKS_NEED, TEXT_NEEDS = 3.0, 4.5

# Matrices in linear light, severity 1, of Machado, Oliveira and Fernandes (2009), table 1.
COLOUR_BLINDNESS = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour: str) -> tuple[float, ...]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)


def seen(colour: str, kind: str) -> tuple[float, ...]:
    """The colour as it is seen, in CIE L*a*b* (white D65)."""
    red, green, blue = (
        max(0.0, sum(w * c for w, c in zip(row, linear(colour), strict=True))) for row in COLOUR_BLINDNESS[kind]
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def test_contrast_of_black_on_white_is_21():
    assert palette.contrast("#FFFFFF", "#000000") == pytest.approx(21.0)
    assert palette.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("ground", [palette.GROUND, palette.PANEL])
@pytest.mark.parametrize("ink", [palette.INK, palette.QUIET])
def test_text_can_be_read(ink, ground):
    assert palette.contrast(ink, ground) >= TEXT_NEEDS


@pytest.mark.parametrize("name", palette.ROLES)
def test_text_on_a_role_can_be_read(name):
    role = palette.role(name)
    assert palette.contrast(role.ink, role.colour) >= TEXT_NEEDS


@pytest.mark.parametrize("ground", [palette.GROUND, palette.PANEL])
def test_edges_of_marks_and_of_boxes_can_be_seen(ground):
    assert palette.contrast(palette.INK, ground) >= MARKS_NEED
    assert palette.contrast(palette.SLATE, ground) >= MARKS_NEED


def test_each_role_has_its_own_shape_letter_and_words():
    for field in ("shape", "letter", "words"):
        values = [getattr(role, field) for role in palette.ROLES.values()]
        assert len(set(values)) == len(values), field


@pytest.mark.parametrize("kind", COLOUR_BLINDNESS)
def test_states_of_a_message_differ_for_colour_blind_eyes(kind):
    states = [palette.role(name).colour for name in ("message", "waiting", "busy", "done", "failed", "duplicated")]
    for one, other in itertools.combinations(states, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen(one, kind), seen(other, kind), strict=True)) ** 0.5
        assert distance > 11, (one, other)  # 2.3 is just noticeable, adjacent marks need a multiple


def test_every_outcome_has_a_role():
    assert set(palette.OUTCOME_ROLES) == set(OUTCOMES)
    assert {palette.outcome_role(outcome).name for outcome in OUTCOMES} <= set(palette.ROLES)


def test_unknown_names_are_errors_that_tell_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'waiting'"):
        palette.role("waiting_")
    with pytest.raises(UnknownNameError, match="did you mean 'dropped'"):
        palette.outcome_role("dropped_")


@pytest.mark.parametrize("name", palette.ROLES)
def test_marks_and_patterns_are_svg(name):
    assert ET.fromstring(palette.mark(name, 5, x=3, y=4)).get("fill") == palette.role(name).colour
    assert ET.fromstring(palette.pattern(name, "p1")).get("id") == "p1"
