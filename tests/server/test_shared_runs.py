"""Where requests are computed: runs that they share, and what waits for nobody."""

import asyncio
import gc
import threading
import time
import weakref

import numpy as np
import pytest
import tensorflow as tf

from sgan_tf.server import executor as module
from sgan_tf.server.model import Model
from sgan_tf.server.refusal import Refused
from sgan_tf.server.servable import Servable, Source, Version
from sgan_tf.server.signature import PART

GATED, OPEN = "gated", "open"


class Doubling:
    """A function that waits at a gate, if it has one, and notes what it is run on."""

    structured_input_signature = ((), {n: tf.TensorSpec([None], tf.int64) for n in ("x", "y")})
    structured_outputs = {"twice": tf.TensorSpec([None], tf.int64)}

    def __init__(self, gate=None):
        self.gate, self.runs = gate, []

    def __call__(self, x, y):
        self.runs.append(x.numpy().tolist())
        if self.gate:
            self.gate.wait(60)
        tf.debugging.assert_non_negative(x)
        return {"twice": 2 * x}


class Case:
    """The executor of a model with a gated and an open signature."""

    def __init__(self, rows_apart=True):
        self.gate = threading.Event()
        self.gated, self.open = Doubling(self.gate), Doubling()
        functions = {GATED: self.gated, OPEN: self.open}
        servable = Servable(functions, rows_apart=rows_apart)
        source = Source("case", lambda: {1: Version(None, lambda: servable)})
        self.model = Model(source, rows=1_000_000)
        self.model.refresh()
        self.executor = module.RequestExecutor(self.model, timeout=60)

    async def ask(self, x, name=GATED, parse=lambda: None):
        def steps(ticket):
            parse()
            signature = self.model.current.signatures[name]
            inputs = {"x": np.array(x), "y": np.array(x)}
            ticket.hold(signature.rows(inputs))
            outputs = yield signature, inputs
            return outputs["twice"].tolist()

        return await self.executor.run_steps(steps)

    async def busy(self):
        """Tasks of requests that fill all shared runs, which wait at the gate."""
        tasks = []
        for i in range(module.RUNS):
            tasks.append(asyncio.create_task(self.ask([i])))
            await self.until(lambda i=i: len(self.gated.runs) > i)
        return tasks

    @staticmethod
    async def until(condition):
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
def case(request):
    case = Case(**getattr(request, "param", {}))
    yield case
    case.gate.set()
    case.executor.close()
    assert case.model.rows.count == 0


def test_requests_that_wait_share_the_next_run(case):
    async def asked():
        tasks = await case.busy()
        tasks += [asyncio.create_task(case.ask([10 * i, 10 * i + 1])) for i in range(1, 6)]
        await asyncio.sleep(0)
        case.gate.set()
        return await asyncio.gather(*tasks)

    answers = asyncio.run(asked())[module.RUNS :]
    assert answers == [[20 * i, 20 * i + 2] for i in range(1, 6)]
    shared = case.gated.runs[module.RUNS :]
    assert len(shared) <= module.RUNS  # both threads may have come for some
    assert sorted(sum(shared, [])) == [10 * i + k for i in range(1, 6) for k in (0, 1)]


def test_a_bad_request_fails_alone(case):
    async def asked():
        tasks = await case.busy()
        tasks += [asyncio.create_task(case.ask([x])) for x in (-1, *range(5, 36))]
        await asyncio.sleep(0)
        case.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    refused, *good = asyncio.run(asked())[module.RUNS :]
    assert good == [[2 * x] for x in range(5, 36)]
    assert isinstance(refused, Refused) and refused.code == "INVALID_ARGUMENT"
    assert len(case.gated.runs) < module.RUNS + 20  # most of those beside it still share theirs


def test_a_run_has_at_most_so_many_rows(case):
    """Of one large request, and of many that wait together."""
    large = list(range(2 * PART + 3))

    async def asked():
        assert await case.ask(large, OPEN) == [2 * x for x in large]
        assert [len(run) for run in case.open.runs] == [PART, PART, 3]
        tasks = await case.busy()
        tasks += [asyncio.create_task(case.ask([i] * 100, GATED)) for i in range(7)]
        await asyncio.sleep(0)
        case.gate.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(asked())[module.RUNS :] == [[2 * i] * 100 for i in range(7)]
    assert max(map(len, case.gated.runs)) <= PART


def test_inputs_of_different_rows_are_never_put_among_others():
    signature = Case().model.current.signatures[OPEN]
    assert signature.shares({"x": np.zeros(2), "y": np.zeros(2)})
    for x, y in ((2, 3), (0, 0), (PART + 1, PART + 1)):
        assert not signature.shares({"x": np.zeros(x), "y": np.zeros(y)})


@pytest.mark.parametrize("case", [{"rows_apart": False}], indirect=True)
def test_a_run_that_nobody_shares_keeps_nobody_waiting(case):
    async def asked():
        tasks = [asyncio.create_task(case.ask([i])) for i in range(2 * module.RUNS)]
        await case.until(lambda: len(case.gated.runs) == 2 * module.RUNS)
        assert await case.ask([7], OPEN) == [14]
        assert await case.executor.run(lambda rows: rows.count) == 1
        case.gate.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(asked()) == [[0], [2], [4], [6]]


def test_a_request_that_was_late_before_its_turn_is_not_computed(case):
    async def asked():
        tasks = await case.busy()
        case.executor.timeout = 0.2
        with pytest.raises(Refused, match=r"within 0.2 s"):
            await case.ask([99])
        assert case.model.rows.count == module.RUNS + 1  # it still waits
        case.gate.set()
        await asyncio.gather(*tasks)
        await case.until(lambda: case.model.rows.count == 0)

    asyncio.run(asked())
    assert [99] not in case.gated.runs


@pytest.mark.parametrize("case", [{"rows_apart": False}], indirect=True)
def test_a_request_that_was_late_before_a_thread_was_free_is_not_computed(case, monkeypatch):
    monkeypatch.setattr(case.executor._apart, "_max_workers", 1)

    async def asked():
        first = asyncio.create_task(case.ask([1]))
        await case.until(lambda: case.gated.runs)
        case.executor.timeout = 0.2
        with pytest.raises(Refused, match=r"within 0.2 s"):
            await case.ask([99])
        case.gate.set()
        assert await first == [2]
        await case.until(lambda: case.model.rows.count == 0)

    asyncio.run(asked())
    assert case.gated.runs == [[1]]


def test_large_requests_that_keep_coming_hold_up_no_other(case):
    parsed = []

    def slowly():
        parsed.append(1)
        time.sleep(0.02)

    async def asked():
        large = [0] * (PART + 1)
        tasks = [asyncio.create_task(case.ask(large, OPEN, slowly)) for _ in range(2)]
        small = asyncio.create_task(case.ask([1], OPEN))
        tasks += [asyncio.create_task(case.ask(large, OPEN, slowly)) for _ in range(98)]
        assert await small == [2]
        among = len(parsed)
        await asyncio.gather(*tasks)
        return among

    assert asyncio.run(asked()) < len(parsed) == 100


def test_nothing_of_a_refused_request_is_kept(case):
    class Body:
        pass

    kept = []

    def parse():
        body = Body()
        kept.append(weakref.ref(body))
        raise Refused("INVALID_ARGUMENT", "no")

    async def asked():
        for _ in range(3):
            with pytest.raises(Refused):
                await case.ask([1], OPEN, parse)

    gc.disable()  # whose full collections pass over much, and come seldom
    try:
        asyncio.run(asked())
        case.executor.close()  # and with the threads all that they hold for a moment
        assert [ref() for ref in kept] == [None] * 3
    finally:
        gc.enable()


def test_where_no_thread_can_be_started_requests_wait_for_one(case, monkeypatch):
    def none(_):
        raise RuntimeError("can't start new thread")

    async def asked():
        for x in ([1], [1] * (PART + 1)):  # in a run that is shared, and apart
            with monkeypatch.context() as broken:
                broken.setattr(threading.Thread, "start", none)
                waits = asyncio.create_task(case.ask(x, OPEN))
                await asyncio.sleep(0.1)
            assert not waits.done()
            assert await case.ask(x, OPEN) == await waits == [2] * len(x)

    asyncio.run(asked())


def test_what_fails_inside_is_told_to_who_waits(case, monkeypatch):
    async def asked():
        for compute in (lambda: case.ask([4], OPEN), lambda: case.executor.run(lambda _: 1 // 0)):
            with pytest.raises(ZeroDivisionError), monkeypatch.context() as broken:
                broken.setattr(tf, "constant", lambda *_: 1 // 0)
                await compute()
        assert await case.ask([4], OPEN) == [8]  # the threads live

    asyncio.run(asked())
