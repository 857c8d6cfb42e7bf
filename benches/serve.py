"""The server under load, under attack and over a long time.

    cargo build --release
    python3 benches/serve.py [load] [adapters] [faults] [memory] [restart] [--seconds 60] [--clients 64]

Needs nothing but Python. The server is the bundled model's, on a port of its own, and all clients are coroutines of one
process on the same machine: what they cost is in the figures. Every client asks one question after another, streamed, each
about another gene, and reads every piece; an answer counts as lost where it does not end with `data: [DONE]`.

load      64 clients for so many seconds, 1 and 8 for a third of that: answers, tokens a second, time to the first piece, whole time, fairness
adapters  64 clients that ask the base, and 64 that ask four adapters beside it by turns; the adapters change nothing (B is 0), so
          that the answers are as long. Of the bundled model's multiplications adapters of rank 8 are a twelfth; what they are of
          a larger one's, --shape measures: 2048x5632x22x32x4 is TinyLlama's (random weights in bf16, 2 GiB)
faults    what a server must live through, each followed by a question that must be answered
memory    10,000 requests, the process's memory on the way
restart   killed in the middle of a load and started again: how long clients that ask again wait
"""
import argparse, asyncio, base64, json, math, os, pathlib, random, re, shutil, signal, socket, statistics, struct, subprocess, sys, tempfile, time, zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
NANO = ROOT / "models/geneverse-nano"
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", nargs="*", help="load, adapters, faults, memory, restart; all of them where none is named")
parser.add_argument("--seconds", type=float, default=60)
parser.add_argument("--clients", type=int, default=64)
parser.add_argument("--tokens", type=int, default=64, help="longest answer")
parser.add_argument("--rank", type=int, default=8, help="of the adapters")
parser.add_argument("--shape", help="of the base of `adapters`: hidden x inner x layers x heads x key/value heads")
parser.add_argument("--requests", type=int, default=10_000, help="of `memory`")
parser.add_argument("--program", default=str(ROOT / "target/release/geneverse"))
args = parser.parse_args()
GENES = [json.loads(line)["symbol"] for line in open(ROOT / "data/genes.jsonl")]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="geneverse-serve-"))


class Server:
    def __init__(self, *more, keys="", port=0, model=NANO):
        environment = dict(os.environ, GENEVERSE_API_KEYS=keys)
        command = [args.program, "serve", "--model", str(model), "--prompt", "plain", "--port", str(port), *more]
        self.log = open(FOLDER / "log", "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=environment, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.match(r"http://127\.0\.0\.1:(\d+)/v1", line)[1])

    def memory(self):
        """Resident MiB, and the most that it has been."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        of = lambda name: int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024
        return of("VmRSS"), of("VmHWM")

    def processor(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 0


def question(model=None, tokens=args.tokens, stream=True, chance=random):
    body = {"prompt": f"The protein encoded by {chance.choice(GENES)} is", "max_tokens": tokens, "stream": stream}
    return body | ({"stream_options": {"include_usage": True}} if stream else {}) | ({"model": model} if model else {})


def head(path, length, more="", method="POST"):
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{more}\r\n".encode()


async def ask(streams, body):
    """Asks on an open connection: time to the first piece, whole time, tokens."""
    reader, writer = streams
    data = json.dumps(body).encode()
    begun = time.perf_counter()
    writer.write(head("/v1/completions", len(data)) + data)
    status = (await reader.readuntil(b"\r\n\r\n")).decode()
    if " 200 " not in status.split("\r\n")[0]:
        raise ConnectionError(status.split("\r\n")[0])
    first, text = None, b""
    while True:
        size = int(await reader.readline(), 16)
        piece = (await reader.readexactly(size + 2))[:-2]
        if not size:
            break
        if first is None and b'"text":"' in piece and b'"text":""' not in piece:
            first = time.perf_counter() - begun
        text += piece
    if not text.endswith(b"data: [DONE]\n\n"):
        raise ConnectionError("the answer has no end")
    usage = [json.loads(line[6:])["usage"] for line in text.decode().split("\n\n") if '"usage"' in line]
    return first, time.perf_counter() - begun, usage[-1]["completion_tokens"]


async def load(port, clients, seconds, models=(None,)):
    """Figures of a load."""
    answers, lost = [[] for _ in range(clients)], []
    end = time.perf_counter() + seconds

    async def client(number):
        chance, streams = random.Random(number), None
        while time.perf_counter() < end:
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", port)
                answers[number].append(await ask(streams, question(models[number % len(models)], chance=chance)))
            except (OSError, ConnectionError, asyncio.IncompleteReadError, ValueError) as e:
                lost.append(repr(e))
                streams = None
                await asyncio.sleep(0.1)

    begun = time.perf_counter()
    await asyncio.gather(*map(client, range(clients)))
    took = time.perf_counter() - begun
    every = [answer for own in answers for answer in own]
    counts = [sum(tokens for _, _, tokens in own) for own in answers]
    at = lambda values, share: sorted(values)[min(len(values) - 1, int(len(values) * share))]
    fair = sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts))
    return dict(clients=clients, answers=len(every), lost=len(lost), why=lost[:1], rate=sum(counts) / took,
                first=(at([a[0] for a in every], 0.5), at([a[0] for a in every], 0.99)),
                whole=(at([a[1] for a in every], 0.5), at([a[1] for a in every], 0.99)), fair=fair)


def row(name, found):
    f, w = found["first"], found["whole"]
    print(f"| {name} | {found['answers']} | {found['lost']} | {found['rate']:.0f} | {f[0]:.3f} / {f[1]:.3f} | {w[0]:.2f} / {w[1]:.2f} | {found['fair']:.3f} |", flush=True)
    if found["lost"]:
        print("  lost:", found["why"])


HEADER = "| | answers | lost | tokens/s | first piece p50 / p99, s | whole p50 / p99, s | fairness (Jain) |\n|---|---|---|---|---|---|---|"


def run_load():
    server = Server()
    print(f"\n## Load, {args.seconds:.0f} s (a third of that for few clients), answers of at most {args.tokens} tokens\n\n{HEADER}")
    for clients, share in ((1, 1 / 3), (8, 1 / 3), (args.clients, 1)):
        row(f"{clients} clients", asyncio.run(load(server.port, clients, args.seconds * share)))
    print(f"\nmemory {server.memory()[0]:.0f} MiB, at most {server.memory()[1]:.0f}")
    server.end()


def random_base(folder, shape):
    """A Llama of this shape: its matrices are the same 2^19 - 1 random numbers (a prime) over and over, its norms are ones."""
    hidden, inner, layers, heads, pairs = map(int, shape.split("x"))
    folder.mkdir()
    config = json.loads((NANO / "config.json").read_text()) | dict(
        hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=pairs,
        head_dim=hidden // heads, tie_word_embeddings=False)
    (folder / "config.json").write_text(json.dumps(config))
    for name in NANO.glob("*token*.json"):
        shutil.copy(name, folder)
    wide, narrow = hidden, hidden // heads * pairs
    maps = {"self_attn.q_proj": (wide, hidden), "self_attn.k_proj": (narrow, hidden), "self_attn.v_proj": (narrow, hidden),
            "self_attn.o_proj": (hidden, wide), "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    tensors = {"model.embed_tokens.weight": (config["vocab_size"], hidden), "model.norm.weight": (hidden,), "lm_head.weight": (config["vocab_size"], hidden)}
    for layer in range(layers):
        tensors |= {f"model.layers.{layer}.{name}.weight": size for name, size in maps.items()}
        tensors |= {f"model.layers.{layer}.{name}.weight": (hidden,) for name in ("input_layernorm", "post_attention_layernorm")}
    header, end = {}, 0
    for name, size in tensors.items():
        begin, end = end, end + 2 * math.prod(size)
        header[name] = dict(dtype="BF16", shape=size, data_offsets=[begin, end])
    chance, text = random.Random(0), json.dumps(header).encode()
    block = bytes(byte for _ in range((1 << 19) - 1) for byte in (chance.getrandbits(8), chance.choice((0x3B, 0x3C, 0xBB, 0xBC))))
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for size in tensors.values():
            left = 2 * math.prod(size)
            if len(size) == 1:
                file.write(b"\x80\x3f" * size[0])
                continue
            while left:
                left -= file.write(block[:left])
    return folder


def zero_adapter(folder, rank=args.rank, base=NANO):
    """An adapter in PEFT's layout that changes nothing: A is random, B is 0."""
    config = json.loads((base / "config.json").read_text())
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads, pairs, dim = config["num_attention_heads"], config["num_key_value_heads"], config.get("head_dim") or hidden // config["num_attention_heads"]
    shapes = dict(q_proj=("self_attn", heads * dim, hidden), k_proj=("self_attn", pairs * dim, hidden), v_proj=("self_attn", pairs * dim, hidden),
                  o_proj=("self_attn", hidden, heads * dim), gate_proj=("mlp", inner, hidden), up_proj=("mlp", inner, hidden), down_proj=("mlp", hidden, inner))
    header, data, chance = {}, bytearray(), random.Random(0)
    for layer in range(config["num_hidden_layers"]):
        for name, (block, rows, columns) in shapes.items():
            for side, shape in (("A", (rank, columns)), ("B", (rows, rank))):
                begin, count = len(data), shape[0] * shape[1]
                data += struct.pack(f"<{count}f", *(chance.uniform(-0.05, 0.05) for _ in range(count))) if side == "A" else bytes(4 * count)
                header[f"base_model.model.model.layers.{layer}.{block}.{name}.lora_{side}.weight"] = dict(dtype="F32", shape=shape, data_offsets=[begin, len(data)])
    folder.mkdir()
    text = json.dumps(header).encode()
    (folder / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "adapter_config.json").write_text(json.dumps(dict(peft_type="LORA", r=rank, lora_alpha=rank, target_modules=list(shapes), task_type="CAUSAL_LM", bias="none", base_model_name_or_path=str(base))))


def run_adapters():
    base = random_base(FOLDER / "base", args.shape) if args.shape else NANO
    zero_adapter(FOLDER / "adapter", base=base)
    names = ["a", "b", "c", "d"]
    server = Server(*(part for name in names for part in ("--adapter", f"{name}={FOLDER / 'adapter'}")), model=base)
    of = f"a base of {args.shape}" if args.shape else "one base"
    print(f"\n## Four adapters of rank {args.rank} on every map beside {of}, {args.clients} clients, in turn\n\n{HEADER}")
    rates = {"base": [], "adapters": []}
    for _ in range(3):
        for name, models in (("base", (None,)), ("adapters", tuple(names))):
            found = asyncio.run(load(server.port, args.clients, args.seconds / 3, models))
            rates[name].append(found["rate"])
            row(name, found)
    base, beside = (statistics.median(rates[name]) for name in rates)
    print(f"\nadapters cost {100 * (1 - beside / base):.1f} % of the base's tokens a second (medians)")
    server.end()


def raw(port, data, wait=5.0, shut=False):
    """Sends bytes; the first line of what comes back, or how it ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as stream:
        try:
            stream.sendall(data)
            if shut:
                stream.shutdown(socket.SHUT_WR)
            answer = stream.recv(4096)
        except OSError as e:
            return type(e).__name__
        return answer.split(b"\r\n")[0].decode("latin-1") or "closed"


def bomb(side):
    """A PNG of side x side pixels of one colour: a few kilobytes."""
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    pack, line = zlib.compressobj(9), b"\0" * (side * 3 + 1)
    data = b"".join(pack.compress(line) for _ in range(side)) + pack.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def run_faults():
    server = Server("--body", "4", "--connections", "40", keys="right")
    port, key = server.port, "Authorization: Bearer right\r\n"
    post = lambda body, more=key, path="/v1/chat/completions": head(path, len(body), more) + body
    chat = lambda content, **more: json.dumps(dict(messages=[dict(role="user", content=content)], max_tokens=4) | more).encode()
    picture = lambda url: chat([dict(type="image_url", image_url=dict(url=url))])
    url = lambda data: "data:image/png;base64," + base64.b64encode(data).decode()
    deep = b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    sent = {
        "no key": (post(chat("a"), ""), "401"),
        "a wrong key": (post(chat("a"), "Authorization: Bearer wrong\r\n"), "401"),
        "another host (DNS rebinding)": (b"GET /v1/models HTTP/1.1\r\nHost: attacker.example\r\n" + key.encode() + b"\r\n", "403"),
        "a page of another origin": (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nOrigin: https://attacker.example\r\n" + key.encode() + b"\r\n", "403"),
        "JSON cut short": (post(b'{"messages": [{"role": "us'), "400"),
        "no JSON": (post(b"\xff\xfe\x00"), "400"),
        "JSON 100,000 deep": (post(deep), "400"),
        "a body of 5 MiB where 4 are taken": (head("/v1/chat/completions", 5 << 20, key), "413"),
        "a length of 10^30": (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1" + b"0" * 30 + b"\r\n\r\n", "413"),
        "a negative length": (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "400"),
        "two lengths": (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"),
        "length and chunks (smuggling)": (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "4"),
        "headers of 64 KiB": (b"GET / HTTP/1.1\r\nX: " + b"x" * 65536 + b"\r\n\r\n", "431"),
        "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), "400"),
        "path traversal": (head("/genes/../../../../etc/passwd", 0, key, "GET"), "404"),
        "path traversal, encoded": (head("/genes/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 0, key, "GET"), "404"),
        "path traversal by a model's name": (head("/v1/models/..%2f..%2fetc", 0, key, "GET"), "404"),
        "a picture of 20,000 x 20,000 pixels in a few kilobytes": (post(picture(url(bomb(20_000)))), "400"),
        "a picture's header alone, 2^31 pixels wide": (post(picture(url(bomb(1)[:16] + struct.pack(">II", 1 << 31, 1 << 31) + bomb(1)[24:]))), "400"),
        "a picture's address elsewhere": (post(picture("http://169.254.169.254/latest")), "400"),
        "a file's address": (post(picture("file:///etc/passwd")), "400"),
        "a temperature of 1e400": (post(b'{"messages": [{"role": "user", "content": "a"}], "temperature": 1e400}'), "400"),
        "a million tokens": (post(chat("a", max_tokens=1_000_000)), "400"),
        "a prompt of 100,000 words": (post(chat("GLI1 " * 100_000)), "400"),
        "a model of another server": (post(chat("a", model="gpt-4")), "404"),
        "DELETE": (head("/v1/models", 0, key, "DELETE"), "405"),
    }
    good = post(chat("What is GLI1?"))
    print(f"\n## Faults\n\n| what was sent | what came back | as expected | answered after it |\n|---|---|---|---|")
    wrong = 0

    def told(name, found, expected):
        nonlocal wrong
        after = raw(port, good, 60)
        fine, lives = expected in found, " 200 " in after
        wrong += not (fine and lives)
        print(f"| {name} | {found} | {'yes' if fine else 'NO'} | {'yes' if lives else 'NO: ' + after} |", flush=True)

    for name, (data, expected) in sent.items():
        found = raw(port, data, 60)
        told(name, found, f" {expected}")
    # Connections that say nothing, and one that says its request a byte at a time, beside a client in a hurry.
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    for stream in silent[:10]:
        stream.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc")
    told("30 connections that say nothing or a part of a request", "open", "open")
    more = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
    time.sleep(0.5)
    turned = sum(b" 503 " in stream.recv(100) for stream in more[15:])
    for stream in silent + more:
        stream.close()
    time.sleep(0.5)
    told("more connections than are taken (60 of 40)", f"{turned} of the last 15 turned away with 503", "15 of")
    # A reader that takes nothing of its answer, and one that leaves.
    body = json.dumps(question(tokens=1500)).encode()
    slow = socket.create_connection(("127.0.0.1", port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.sendall(head("/v1/completions", len(body), key) + body)
    told("a reader that takes nothing", "open", "open")
    slow.close()
    running = lambda: int(re.search(r"geneverse_requests_running (\d+)", get(port, "/metrics", key))[1])
    leaver = socket.create_connection(("127.0.0.1", port))
    leaver.sendall(head("/v1/completions", len(body), key) + body)
    leaver.recv(100)
    leaver.close()
    begun = time.perf_counter()
    while running() and time.perf_counter() - begun < 30:
        time.sleep(0.02)
    told("a client that leaves in the middle of a stream", f"its place is free after {time.perf_counter() - begun:.2f} s", "free after 0" )
    chance = random.Random(7)
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        raw_quick(port, bytes(data))
    told("2,000 requests with some of their bytes changed", "all taken", "all taken")
    faults = (FOLDER / "log").read_text(errors="replace").count("panicked")
    print(f"\n{wrong} not as expected; {faults} panics in the log; memory at most {server.memory()[1]:.0f} MiB")
    server.end()


def raw_quick(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
        try:
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)
            stream.settimeout(0.5)
            stream.recv(4096)
        except OSError:
            pass


def get(port, path, more=""):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n".encode())
        return b"".join(iter(lambda: stream.recv(65536), b"")).decode()


def run_memory():
    server = Server()

    async def some(count, clients=16):
        left = iter(range(count))

        async def client(number):
            chance, streams = random.Random(number), await asyncio.open_connection("127.0.0.1", server.port)
            for _ in left:
                await ask(streams, question(tokens=8, chance=chance))
        await asyncio.gather(*map(client, range(clients)))

    print(f"\n## Memory over {args.requests} requests\n\n| requests | resident, MiB |\n|---|---|")
    step = args.requests // 10
    for done in range(0, args.requests + 1, step):
        if done:
            asyncio.run(some(step))
        print(f"| {done} | {server.memory()[0]:.1f} |", flush=True)
    server.end()


def run_restart():
    server = Server()
    port = server.port
    print("\n## Killed in the middle of a load and started again\n")

    async def go():
        nonlocal server
        under = asyncio.create_task(load(port, 16, 12))
        await asyncio.sleep(4)
        server.process.kill()
        server.process.wait()
        begun = time.perf_counter()
        server = await asyncio.to_thread(Server, port=port)
        up = time.perf_counter() - begun
        return up, await under

    up, found = asyncio.run(go())
    print(f"listening again {up:.2f} s after the kill; {found['answers']} answers, {found['lost']} asked again, then p99 {found['whole'][1]:.2f} s")
    server.end()


try:
    for name in args.what or ["load", "adapters", "faults", "memory", "restart"]:
        globals()[f"run_{name}"]()
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
