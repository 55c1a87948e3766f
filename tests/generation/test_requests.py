from batcher import request


def test_requests_with_the_same_content_are_different():
    one, other = request(), request()
    assert one != other
    assert len({one, other}) == 2
