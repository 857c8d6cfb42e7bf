"""A session with OpenAI's own Python client: what it asks, and what `geneverse serve` answers.

    python3 -m venv client && client/bin/pip install openai==3.57.0
    client/bin/python benches/official_client.py --program target/debug/geneverse --adapter RUN/adapter --db genes.db \\
        [--seeing LLAVA] [--embedder MODEL]

The adapter is one of the bundled model, as `quickstart` makes it. The client is not told anything but an address and a key.
Everything that it is answered is printed; the last line counts what was not as it is to be, which the exit status tells too.
"""
import argparse
import base64
import contextlib
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import zlib

import openai

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEY = "a-key-of-this-session"
QUESTION = [{"role": "user", "content": "Please summarize the major function of gene: GLI1. Use academic language in one paragraph "
             "and include pathway information."}]
wrong = 0


def told(what: str, found: object, fine: bool = True) -> None:
    """A line of the transcript."""
    global wrong
    wrong += not fine
    shown = str(found)
    print(f"{'' if fine else 'NOT AS IT IS TO BE  '}{what}: {shown if len(shown) < 300 else shown[:297] + '…'}", flush=True)


@contextlib.contextmanager
def served(program: str, *more: str):
    """A server at a free port, and a client of it."""
    environment = dict(os.environ, GENEVERSE_API_KEYS=KEY)
    process = subprocess.Popen(
        [program, "serve", "--port", "0", *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True)
    try:
        address = re.match(r"(http://\S+/v1)", process.stdout.readline())[1]
        yield openai.OpenAI(base_url=address, api_key=KEY, max_retries=0, timeout=300)
    finally:
        process.send_signal(signal.SIGINT)
        told("the server ends with", process.wait(60), process.returncode == 0)


def refused(what: str, kind: type[openai.APIStatusError], ask) -> None:
    try:
        told(what, ask(), False)
    except openai.APIStatusError as error:
        told(what, f"{type(error).__name__} {error.status_code}, code {error.code}, param {error.param}: {error.body['message']}",
             isinstance(error, kind))


def square(side: int) -> str:
    """A picture of two colours as a data: URL."""
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes([200, 40, 90] * (side // 2) + [20, 20, 160] * (side - side // 2)) for _ in range(side))
    png = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return "data:image/png;base64," + base64.b64encode(png + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")).decode()


def texts(client: openai.OpenAI, embeds: bool) -> None:
    names = [model.id for model in client.models.list()]
    told("models.list()", names, names[:2] == ["geneverse-nano", "genes"])
    told("models.retrieve(\"genes\")", client.models.retrieve("genes").id)
    said = {}
    for name in names[:2]:
        whole = client.chat.completions.create(model=name, messages=QUESTION, max_tokens=80)
        said[name] = whole.choices[0].message.content
        told(f"chat, {name}", said[name], len(said[name].split()) > 20)
        parts = list(client.chat.completions.create(
            model=name, messages=QUESTION, max_tokens=80, stream=True, stream_options={"include_usage": True}))
        streamed = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
        usage = parts[-1].usage
        told(f"streamed in {len(parts)} parts", f"the same: {streamed == said[name]}; {usage.prompt_tokens} tokens asked "
             f"({usage.prompt_tokens_details.cached_tokens} of them read before), {usage.completion_tokens} answered",
             streamed == said[name] and usage.prompt_tokens == whole.usage.prompt_tokens
             and usage.completion_tokens == whole.usage.completion_tokens)
        ours = {"geneverse": {"check": True, "retrieve": True}}
        read = client.chat.completions.create(model=name, messages=QUESTION, max_tokens=120, extra_body=ours)
        text, checked = read.choices[0].message.content, read.model_extra["geneverse"]
        told(f"with the record read first, and checked, {name}", f"{text} [{checked['genes']}]",
             len(text.split()) > 20 and checked["genes"] == ["GLI1"])
    told("the adapter says something else than the base", said["genes"] != said["geneverse-nano"],
         said["genes"] != said["geneverse-nano"])
    more = [*QUESTION, {"role": "assistant", "content": said["genes"]}, {"role": "user", "content": "Where does it lie?"}]
    goes_on = client.chat.completions.create(model="genes", messages=more, max_tokens=24)
    told("a conversation goes on", f"{goes_on.choices[0].message.content!r}; of {goes_on.usage.prompt_tokens} tokens "
         f"{goes_on.usage.prompt_tokens_details.cached_tokens} had been read before",
         goes_on.usage.prompt_tokens_details.cached_tokens > 0)
    text = client.completions.create(model="geneverse-nano", prompt=["GLI1 is", "The protein encoded by TP53"], max_tokens=12)
    told("completions of two texts", [choice.text for choice in text.choices], len(text.choices) == 2)
    drawn = [client.completions.create(model="genes", prompt="GLI1 is", max_tokens=12, temperature=1, seed=seed).choices[0].text
             for seed in (1, 1, 2)]
    told("drawn at temperature 1 with seeds 1, 1, 2", drawn, drawn[0] == drawn[1] != drawn[2])
    stopped = client.chat.completions.create(model="genes", messages=QUESTION, max_tokens=80, stop=["gene"])
    told("with a stop", (stopped.choices[0].message.content, stopped.choices[0].finish_reason),
         "gene" not in stopped.choices[0].message.content)
    if embeds:
        # The client asks for base64 where it is told nothing, and unpacks it.
        packed, plain = (client.embeddings.create(model=names[-1], input=["GLI1", "a zinc finger protein"], **form)
                         for form in ({}, {"encoding_format": "float"}))
        same = [made.embedding for made in packed.data] == [made.embedding for made in plain.data]
        told("embeddings, packed and plain", f"{len(packed.data)} of {len(packed.data[0].embedding)} numbers, the same: {same}", same)
    errors(client)


def errors(client: openai.OpenAI) -> None:
    create = client.chat.completions.create
    stranger = client.with_options(api_key="another")
    refused("a wrong key", openai.AuthenticationError, lambda: stranger.models.list().data)
    refused("an unknown model", openai.NotFoundError, lambda: create(model="gpt-4", messages=QUESTION))
    long = [{"role": "user", "content": "GLI1 " * 20_000}]
    refused("too long a question", openai.BadRequestError, lambda: create(model="genes", messages=long))
    refused("too long an answer", openai.BadRequestError, lambda: create(model="genes", messages=QUESTION, max_tokens=10**6))
    refused("several answers", openai.BadRequestError, lambda: create(model="genes", messages=QUESTION, n=3))
    tool = [{"type": "function", "function": {"name": "f"}}]
    refused("tools", openai.BadRequestError, lambda: create(model="genes", messages=QUESTION, tools=tool))
    shows = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": square(32)}}]}]
    refused("a picture for a model of texts", openai.BadRequestError, lambda: create(model="genes", messages=shows))
    whole = create(model="genes", messages=QUESTION, max_tokens=8)
    told("after all this it answers", whole.choices[0].message.content)


def pictures(client: openai.OpenAI) -> None:
    name = client.models.list().data[0].id
    content = [{"type": "text", "text": "What is shown here?"}, {"type": "image_url", "image_url": {"url": square(96)}}]
    asked = dict(model=name, messages=[{"role": "user", "content": content}], max_tokens=40)
    whole = client.chat.completions.create(**asked)
    told(f"a picture, {name}", f"{whole.choices[0].message.content!r}, {whole.usage.prompt_tokens} tokens asked",
         whole.usage.completion_tokens > 0)
    parts = client.chat.completions.create(**asked, stream=True)
    streamed = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    told("the same streamed", streamed == whole.choices[0].message.content, streamed == whole.choices[0].message.content)
    content[1]["image_url"]["url"] = "https://example.org/a.png"
    refused("a picture's address", openai.BadRequestError, lambda: client.chat.completions.create(**asked))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "target/release/geneverse"))
    parser.add_argument("--adapter", required=True, help="of the bundled model")
    parser.add_argument("--db", required=True)
    parser.add_argument("--seeing", help="a LLaVA, for pictures")
    parser.add_argument("--embedder", help="a model for /v1/embeddings")
    args = parser.parse_args()
    told("client", f"openai {openai.__version__}")
    embedder = ["--embedder", args.embedder] if args.embedder else []
    with served(args.program, "--adapter", f"genes={args.adapter}", "--db", args.db, *embedder) as client:
        texts(client, bool(embedder))
    if args.seeing:
        with served(args.program, "--model", args.seeing) as client:
            pictures(client)
    print(f"{wrong} not as it is to be")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
