"""The sample workload of AI agents: a planner, a researcher, a critic, tools, and a model that answers by script.

    python -m hemostat_chaos.agents deploy                 # into namespace `agents`, from chaos/agents
    python -m hemostat_chaos.agents fault ping-pong        # prints the conversation's name; 8 faults, see kinds.py
    python -m hemostat_chaos.agents begin debate           # its healthy twin
    python -m hemostat_chaos.agents status                 # how the conversations are, and what they cost
    python -m hemostat_chaos.agents clear                  # takes the faults back; conversations then come to an end

| fault | where it lives | healthy twin |
|---|---|---|
| ping-pong, ring | models that say the same again for ever | `debate`, `review`: new words each round, bounded |
| mutual-wait | the critic takes its two locks in the other order | `locks`: both in one order; `build`: one long call |
| stuck-tool | a job that gets no further | `poll`: results change; `patient`: they do not, but it looks seldom |
| paraphrase | a model that asks the same in other words for ever | `pages`: other pages, until the last |
| token-burn | a model that writes more each time and never stops | `batch`: eight edits |
| provider-429 | a provider that refuses, agents that do not wait | `backoff`: thrice, and they wait longer each time |
| runaway-context | a model that never stops reading, long documents | `read`: six documents |

A mutual wait is a real one: to take the fault back does not end it. Everything else ends by itself too, though late:
a turn after 300 requests of the model or 30 minutes, a conversation after 1,000 turns.

`script.py` and `model.py` say what a model answers, `framework.py` is pydantic-ai, `worker.py` an agent's policy,
`peers.py` and `held.py` its calls and locks, all through `hemostat.guard`; `planner.py` owns the conversations.
"""
