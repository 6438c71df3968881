"""The picture shows the measurement that the evidence carries, and nothing in it can break the drawing."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.relay.conftest import changed

from hemostat.api.incident import Plot
from hemostat.relay.picture import HEIGHT, WIDTH, draw, pictured


def pixels(data):
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    return {colour for _, colour in image.getcolors(WIDTH * HEIGHT)}


def test_line_band_and_the_moment_it_fired_are_there(plot):
    colours = pixels(draw(plot, "ErrorRate"))
    assert {(0x1F, 0x5F, 0xA8), (0xD8, 0xEE, 0xDE), (0xCC, 0x22, 0x22)} <= colours
    bare = plot.model_copy(update={"high": None, "fired_time": None})
    assert not {(0xD8, 0xEE, 0xDE), (0xCC, 0x22, 0x22)} & pixels(draw(bare, "ErrorRate"))


def test_the_signal_that_fired_last_is_drawn(incident, plot):
    first, second, third = incident.status.evidence
    assert pictured(incident) is None
    earlier = first.model_copy(update={"plot": plot})
    later = second.model_copy(
        update={"plot": plot.model_copy(update={"fired_time": plot.fired_time.replace(minute=59)})}
    )
    assert pictured(changed(incident, evidence=(earlier, later, third))).id == "E2"


NUMBER = st.decimals(-(10**14), 10**14, allow_nan=False, allow_infinity=False, places=3).map(lambda d: f"{d:f}")


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMBER, min_size=2, max_size=60), NUMBER | st.none(), NUMBER | st.none(), st.text(max_size=300))
def test_whatever_is_measured_can_be_drawn(values, low, high, title):
    seconds = list(range(0, 60 * len(values), 60))
    made = {"startTime": "2026-11-21T05:50:00Z", "seconds": seconds, "values": values, "low": low, "high": high}
    data = draw(Plot.model_validate({**made, "firedTime": "2027-01-01T00:00:00Z"}), title)
    assert pixels(data)
    assert len(data) < 64 * 1024
