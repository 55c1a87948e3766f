from charrnn_cli.training.events import End, Saved, record


def test_a_record_has_the_kind_and_the_fields_of_the_event():
    assert record(End(3, True, 1.5)) == {"kind": "end", "step": 3, "finished": True, "seconds": 1.5}
    assert record(Saved(3, False, 0.1, 2.0)) == {
        "kind": "saved",
        "step": 3,
        "best": False,
        "save_seconds": 0.1,
        "seconds": 2.0,
    }
