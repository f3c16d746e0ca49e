"""A picture says in words what it shows, wherever it is displayed."""

from xml.etree import ElementTree as ET

import pytest

from edasim.errors import ConfigurationError
from edasim.viz import Picture, svg

DRAWING = svg.document(10, 10, [svg.label(1, 2, "<script>")], "A & B")


def test_html_holds_drawing_alt_text_and_words():
    page = Picture(svg=DRAWING, alt="A & B", text="Three wait.").to_html()
    assert DRAWING in page
    assert 'aria-label="A &amp; B"' in page
    assert "In words: Three wait." in page
    assert "<figure aria-label=" in page  # a figure with a caption may have no other role
    assert "<script" not in page


def test_long_texts_fold_after_their_first_sentence():
    page = Picture(svg=DRAWING, alt="a", text="First.\nSecond <b>.").to_html()
    assert "<summary>In words: First.</summary>" in page
    assert "Second &lt;b&gt;." in page


def test_jupyter_and_a_terminal_get_the_same_facts():
    picture = Picture(html="<img alt='a'>", alt="a", text="Three wait.")
    assert picture._repr_mimebundle_() == {"text/html": picture.to_html(), "text/plain": "Three wait."}
    assert picture._repr_html_() == picture.to_html()
    assert str(picture) == "Three wait."
    assert repr(picture) == "<Picture: a>"


@pytest.mark.parametrize("drawings", [{}, {"svg": DRAWING, "html": "<p>"}])
def test_a_picture_has_one_drawing(drawings):
    with pytest.raises(ConfigurationError, match="give svg or html"):
        Picture(alt="a", text="t", **drawings)


def test_a_drawing_is_text():
    with pytest.raises(ConfigurationError, match=r"Picture\.svg is 3"):
        Picture(svg=3, alt="a", text="t")


def test_saving(tmp_path):
    picture = Picture(svg=DRAWING, alt="a", text="t")
    assert ET.parse(picture.save(tmp_path / "a.svg")).getroot().get("role") == "img"
    assert picture.save(tmp_path / "a.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(ConfigurationError, match=r"end it in \.svg or \.html"):
        picture.save(tmp_path / "a.png")
    with pytest.raises(ConfigurationError, match=r"end it in \.html"):
        Picture(html="<p>", alt="a", text="t").save(tmp_path / "b.svg")


def test_ids_are_stamped_by_content():
    one, other = (svg.document(1, 1, [f'<g id="{svg.STAMP}x">{i}</g>'], "a") for i in (1, 2))
    first, second = (ET.fromstring(each).find("{*}g").get("id") for each in (one, other))
    assert first != second
    assert svg.STAMP not in one + other
    assert one == svg.document(1, 1, [f'<g id="{svg.STAMP}x">1</g>'], "a")


def test_text_that_is_no_xml_is_cleaned():
    root = ET.fromstring(svg.document(1, 1, [svg.label(0, 0, f"a\x00\x1b{svg.STAMP}<b>&\"'")], "alt"))
    assert root.find("{*}text").text == "a<b>&\"'"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.41234, "0.412"),
        (1234.5, "1,234"),
        (3.0, "3"),
        (99.96, "100"),
        (0.0001234, "0.000123"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers_for_people(value, said):
    assert svg.say(value) == said


def test_long_names_are_cut():
    assert svg.fit("order-service-of-the-north", 80) == "order-serv…"
    assert svg.fit("mail", 80) == "mail"
