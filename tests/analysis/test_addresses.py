import pytest

from charrnn_cli.analysis.addresses import CellAddress, CellGrid
from charrnn_cli.errors import UsageError

GRID = CellGrid(("h", "c"), 2, 5)


def test_every_cell_has_a_name_that_finds_it() -> None:
    addresses = [GRID.address(index) for index in range(20)]
    assert [GRID.index(address) for address in addresses] == list(range(20))
    assert [GRID.parse(str(address)) for address in addresses] == addresses
    assert addresses[0] == CellAddress("h", 0, 0) and str(addresses[-1]) == "c:2:5"


def test_without_a_state_the_memory_of_the_cell_is_meant() -> None:
    assert GRID.parse("1:3") == CellAddress("c", 0, 2)


@pytest.mark.parametrize("name", ["1:0", "0:1", "3:1", "1:6", "x:1:1"])
def test_a_cell_that_is_not_there_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        GRID.parse(name)


def test_other_names_are_no_places() -> None:
    assert GRID.parse("quotes") is None
