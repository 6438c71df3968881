"""A world of AI agents that fail, and of agents that only look as if they did: the ground detectors are judged on.

Written, with its seeds, before any detector existed; it shares no code with `hemostat` (import-linter). Public
conventions and the format of the guard's events are all it knows.

How it works
- `scenarios`: families of conversations. Each is a handful of policies (pure functions from what an agent has seen to
  what it does next) and tools with hidden state. A family has ONE causal fact that a seed can flip: the server returns
  the cursor it was given, the writer's skill is below the critic's standard, one agent takes its locks in a circle.
- `world`: the hidden state and its moves. It knows neither time nor chance, so a fork of it goes on as the original.
- `run`: performs it in simulated time, and tells `probe` what an SDK inside the process could see, nothing else.
- `oracle`, `waits`: the truth. Trouble is that nothing more can be gained (no fact, no goal) on any path from here:
  forks are continued and the graph of hidden states is explored; a standstill is a cycle (AND) or knot (OR) of turns
  in the real lock table and call tree. Cuts are tried in forks. Beyond the budget it is "?": left out and counted.
  Whether a run was meant to fail plays no part: a flipped fact that does no harm is no trouble.
- `storm`: many conversations at one provider whose limiter counts rejected calls; the truth is an experiment.
- `conventions`, `render`, `encode`: the same operations in thirteen instrumentations, with or without content and
  guard, in batches from replicated pods with clocks that are a little off, as OTLP protobuf or JSON.
- `distort`: what the way may do to telemetry. `sets`: the manifest. `digests.json`: SHA-256 of each set's truth.

How a bench reads it (from tests/bench: `from agentworld.sets import SETS, groups`)

    for group in groups(SETS["main"]):                 # 64 conversations or so that overlap in time
        for export in exports(group.records()):        # agentworld.encode; .arrival, .signal, .body(), .line()
            ...
        for case in group.cases:                       # .truth (agentworld.truth.Truth), .told_as("autogen").records()
            ...

A pair (`truth.pair`) counts only when both members are decided right. `truth.kind` "?" is left out. `truth.late` says
that the twin looks the same for more than three repetitions: the third repetition may then at most notify.
Measure the alarm by the end of the step it was raised on: batches arrive seconds later than the steps in them.
`truth.blind` says that nothing recorded tells the two apart (no content, no guard): report those pairs apart.

What is modelled: policies, tools with state, locks with lines and time-outs, re-entrancy, gather and first-of,
hand-over and nested invocation, a person, a model's window, a provider's limiter, rests and back-off, batch exporters,
replicas, clock skew. What is not: what models really say (texts come from a small grammar; the whole history is not
repeated in every prompt), streaming, agents that remember across conversations, side effects outside the tools, spans
cut off by a crash, prompt caches, a fault that begins in the middle for a reason outside of the conversation.

Known weaknesses
- Work done by a job or a service's recovery depends on rests the agent declares, not on latencies.
- A loop ends only when nobody watches any more; twins end by themselves. Streams of trouble are cut after five to
  forty passes, so the spans around a loop are missing from the export, as they would be in life.
- An agent that was refused gives up; real ones may try again.
- Repetitions are counted from the last gain: the call that gained something and looks like the useless ones after it is
  not one of them.
- Context growth begins, by convention, when half of the window is full.
- Models answer identical situations with identical token counts, as at temperature 0.
- Turns joined by links alone (identity `links`) are joined only when their spans have ended; events have no links.
- Prevalence of trouble is far above life's: precision here is not precision in the field, false cuts per healthy
  conversation are.
"""
