"""What Jinja makes of the chat templates that are handed over with a model.

    cargo test -p geneverse-data --lib chat_template -- --ignored
    python3 -m venv peer && peer/bin/pip install jinja2==3.1.6
    peer/bin/python chat_templates.py

The first writes the templates into chat_templates.json beside this; this renders conversations with them, as transformers does,
and writes the file again.
"""
import json
import os

from jinja2.sandbox import ImmutableSandboxedEnvironment

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat_templates.json")
conversations = [
    ("", [], "Summarise the function of gene GLI1."),
    ("Be brief.", [], "What is TP53?"),
    ("", [("a?", "b."), ("", "second 'answer'\n")], "What is \"{input}\" of {instruction}?"),
    ("Say {{ this }} and\n\nthat.", [("α-synuclein?", "β.")], "c?\n\nd"),
    ("", [("  spaces  ", "  kept  ")], "  end  "),
]
goldens = json.load(open(path))
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
for golden in goldens:
    template = environment.from_string(golden["jinja"])
    golden["cases"] = []
    for system, turns, question in conversations:
        messages = [{"role": "system", "content": system}] if system else []
        for asked, answered in turns:
            messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        messages.append({"role": "user", "content": question})
        rendered = template.render(messages=messages, bos_token="<s>", eos_token="</s>", add_generation_prompt=True)
        golden["cases"].append(dict(system=system, turns=turns, question=question, rendered=rendered))
json.dump(goldens, open(path, "w"), ensure_ascii=False, indent=1)
open(path, "a").write("\n")
