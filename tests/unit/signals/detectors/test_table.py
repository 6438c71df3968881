"""Series come and go; the rows of a bank are few and must never be shared by two."""

import weakref

from hemostat.signals.detectors import SeriesTable


def test_a_series_keeps_its_row_and_two_never_share_one():
    table = SeriesTable(3)
    first, _ = table.rows(["a", "b"], 0)
    again, _ = table.rows(["b", "c", "a"], 1)
    assert again.tolist() == [first[1], again[1], first[0]]
    assert len(set(again.tolist())) == 3


def test_a_series_too_many_gets_no_row_and_is_counted():
    table = SeriesTable(2)
    rows, _ = table.rows(["a", "b", "c"], 0)
    assert rows[2] == -1
    assert table.dropped == 1
    assert len(table) == 2


def test_a_key_is_not_kept_for_it_may_be_megabytes_of_labels():
    """40 answers with a new label of 5 MB each took 247 MB."""

    class Key:
        pass

    key = Key()
    seen, table = weakref.ref(key), SeriesTable(2)
    table.rows([key], 0)
    del key
    assert seen() is None
    assert len(table) == 1


def test_a_silent_series_loses_its_row_and_the_caller_is_told_to_forget_it():
    table = SeriesTable(1, silent_seconds=80)
    (old,), _ = table.rows(["a"], 0)
    (new,), freed = table.rows(["b"], 100)
    assert freed.tolist() == [old]
    assert new == old
    assert len(table) == 1


def test_a_clock_that_was_set_back_does_not_keep_the_dead_for_ever():
    table = SeriesTable(1, silent_seconds=80)
    table.rows(["a"], 1e9)
    table.rows([], 0)
    table.rows(["b"], 0)
    rows, freed = table.rows(["b"], 1e9 + 1000)
    assert rows.tolist() == [0] or freed.tolist() == [0]
