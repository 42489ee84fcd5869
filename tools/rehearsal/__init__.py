"""The rehearsal: what the code assumes about Telegram and KIE, checked by the operator's own keys.

An assumption (`assumption.py`) is data: a small call, what its answer must look like (`shapes.py`), and the part of the
bot that rests on it. They are in `telegram.py` and `kie.py`, in the order in which they are tried. `journal.py` counts
what is spent and knows what is left to clean up, whatever happens to the process. `rehearsing.py` tries them all and
writes `rehearsal.json`; `command.py` is `python bot.py rehearse`, and the plugin admin/rehearse is /rehearse.
Texts: rehearsal.* in data/texts/<lang>/rehearsal.po.
"""
