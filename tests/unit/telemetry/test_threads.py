"""Every call gets a thread, threads are used again, and nothing is kept of a call that is over."""

import threading
import weakref

from hemostat.telemetry.threads import Threads


def test_each_has_a_thread_of_its_own_and_threads_are_used_again():
    threads, met, names = Threads(3, "call"), threading.Barrier(4), set()

    def call():
        names.add(threading.current_thread().name)
        met.wait(10)

    for _ in range(5):
        for n in range(3):
            assert not threads.full, n
            threads.submit(call)
        assert threads.full
        met.wait(10)
        while threads._busy:
            threading.Event().wait(0.0005)
    assert names == {"call_0", "call_1", "call_2"}
    threads.shutdown()


def test_nothing_is_kept_of_a_call_that_is_over():
    """A thread that waits for its next call held the last one, and with it a message of megabytes."""

    class Message:
        pass

    threads, message = Threads(1, "call"), Message()
    gone = threading.Event()
    weakref.finalize(message, gone.set)
    threads.submit(lambda _message: None, message)
    del message
    assert gone.wait(10)
    threads.shutdown()


def test_shutdown_ends_the_threads():
    before, threads = set(threading.enumerate()), Threads(2, "call")
    over = threading.Event()
    for _ in range(2):
        threads.submit(over.wait, 10)
    mine = set(threading.enumerate()) - before
    assert len(mine) == 2
    threads.shutdown()
    over.set()
    for thread in mine:
        thread.join(10)
    assert not any(thread.is_alive() for thread in mine)
