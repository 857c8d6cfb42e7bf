"""What transformers and SentencePiece make of tricky texts, for each kind of tokenizer files that are read.

    python3 -m venv peer && peer/bin/pip install transformers==5.23.0 sentencepiece==0.2.3 protobuf sacremoses==0.2.0
    peer/bin/python make_tokenizer_goldens.py

Writes tokenizers/ beside itself: texts.json, and a folder for each kind with a small tokenizer trained here and
expected.json, the ids of every text and what they decode to where that is not the text. Writes Moses' lists to
src/tokens/moses.txt as well.

Where no class of transformers 5 reads the files as they are (Llama with the spaces of before the key `legacy`,
Gemma), the tokenizer is put together here from the converters of transformers. SentencePiece itself has to agree on
every text in which no special token stands.
"""
import collections, io, itertools, json, os, random, shutil
import sentencepiece
from sacremoses import MosesTokenizer
from sacremoses.corpus import NonbreakingPrefixes
from sacremoses.indic import NUKTAS, VIRAMAS
from sacremoses.tokenize import MosesDetokenizer
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, ByteLevelBPETokenizer, Tokenizer, decoders, normalizers
from tokenizers.models import BPE
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import GemmaConverter, LlamaConverter, generate_merges

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, "tokenizers")

training = """GLI1 encodes a member of the Kruppel family of zinc finger proteins.
The BRCA1-associated protein 1 (BAP1) gene is located on chromosome 3p21.1 and is a tumour suppressor.
ATATATATATCGCGCGCG repeats of poly-A tails aaaaaaaaaaaa and AAAAAAAA    spaces   here  and     there.
TP53 mutations in 12q13.3; IL-2 and TNF-alpha; interferon gamma; the official symbol of this gene is GLI1.
MICA MICB HLA-A HLA-B 100 % of 1,000 patients; p < 0.05; -- ---- "quoted" [1] {2} 'single' a/b @ # * + = ~ ^ | \\
The HGNC identifier of this gene is HGNC:4317. It is a protein coding gene of Homo sapiens (human).
Expression of interleukin-6 and tumor necrosis factor in patients' cells doesn't depend on the gene's dose.
What does the gene do? It binds β-catenin, α-synuclein and γ-secretase! See https://www.genenames.org for more.
""".splitlines()

texts = ["", " ", "  ", "\n", "\t", "a", "GLI1", " GLI1", "  GLI1  ", "GLI1 ", "The gene\nof\r\n\r\nGLI1\t(human)\n", "a  b   c    d     e",
    "The official symbol of this gene is GLI1; see HGNC:4317 (β-catenin).",
    "TNF-α, IL-1β and IFN-γ; p53-/- mice; 5'-UTR and 3′-UTR", "p < 0.05, P>0.01 & q = 1,234.56 ± 0.1%",
    "BRCA1/BRCA2 (12q13.3) [see refs. 1, 2-4, and 10.1038/s41586-020-2649-2].", "chr17:43,044,295-43,125,364 (GRCh38)",
    "https://www.ncbi.nlm.nih.gov/gene/?term=GLI1&x=1#top, www.genenames.org or mail a.b@c.org", "100% of 1,000 patients; $5, €6, 7°C, 10 µM, 3×10⁻⁸",
    "\"Quoted\" 'single' ``double'' “curly” ‘ones’ and «guillemets»", "Patients' cells, the gene's dose, doesn't, it's, '90s, 1990's, O'Brien, rock 'n' roll",
    "Dr. Smith et al. vs. Fig. 2 and No. 5, no. five, e.g. i.e. U.S.A. and so on.", "Wait... what?! Really.... .hidden ..two . . .",
    "He said 'end.'", "End of it.' ", "a.b.c. Then", "x,y ,z, 1,2 ,3 4, ,5,", "a-b -c d- -e- f--g h---i 1-2-3 α-β-γ", "co-immunoprecipitation of SMAD2/3—SMAD4 – dashes",
    "(a) [b] {c} <d> <e/> &amp; &lt; &#91; a&b a|b", "@-@ & @ #hash a_b a^b a*b ~b `c` \\d \\n", "naïve café Å ß ﬁ Ⅳ ½ ² ₂ ™ ©", "e\u0301 zero\u200bwidth nbsp\u00a0here thin\u2009space",
    "中文 基因 ゲノム 유전자 and Русский ελληνικά עברית العربية", "emoji 😀👩‍🔬🧬 and 𝛼𝛽 math", "\x00\x01control\x1f\x7f\x85chars\u2028line", "\ufeffbom and \ufffd replaced",
    "<s>GLI1</s>", "GLI1 </s> is a gene", "</s></s> x<unk>y<pad> z", "<|endoftext|>GLI1 <|endoftext|> x", "<0x41><0x0A>▁▁ _ ▁x", "[INST] What is GLI1? [/INST] A gene. </s>",
    "### Instruction:\nName the gene.\n\n### Response:\n", "USER: hi ASSISTANT: hello</s>", "AAAAAAAAAAAAAAAAAAAAAAAAAAATATATATATATATATA", "aaaaaaaaaaaaaaaaaaaaaaa bananananana",
    "DOTMULTI DOTDOTMULTI THISISPROTECTED001", "1 . 2 , 3 ; 4 : 5 ! 6 ? 7", "\"'\"'' ''' \"\"\" ``` ' \" '' end", "Jones' house and the cats' ' x ' y s ' z", "<gene>GLI1</gene> <gene> x", "[PAD] ends[PAD]",
    "if (x) {\n    return \"a\\tb\";\n}\n", "lower. upper. Next. αlpha. Ωmega. 5. 6.a . b.", "The end"]
random.seed(5)
pieces = ["GLI1", " ", "  ", "-", ",", ".", "'", "\"", "(", ")", "α", "β", "1", "23", "s", "The ", "gene", "t", "\n", "%", "/", "é", "中", "...", "n't", "p", "<", ">", "[", "]", "&", "ATAT"]
texts += ["".join(random.choice(pieces) for _ in range(random.randint(6, 24))) for _ in range(24)]


def folder(name, files):
    path = os.path.join(out, name)
    os.makedirs(path)
    for file, contents in files.items():
        with open(os.path.join(path, file), "wb") as handle:
            handle.write(contents if isinstance(contents, bytes) else contents.encode())
    return path


def as_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def expect(name, encode, decode):
    """Writes the ids of all texts, and those decoded texts which are not the text."""
    ids = [encode(text) for text in texts]
    decoded = {}
    for index, (text, of_text) in enumerate(zip(texts, ids)):
        if decode(of_text) != text:
            decoded[str(index)] = decode(of_text)
    with open(os.path.join(out, name, "expected.json"), "w") as handle:
        handle.write('{"decoded":' + as_json(decoded).strip() + ',\n"ids":[\n' + ",\n".join(as_json(i).strip() for i in ids) + "]}\n")


def train(**settings):
    model = io.BytesIO()
    settings = {"byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False,
                "split_by_unicode_script": False, "allow_whitespace_only_pieces": True, "split_digits": True} | settings
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(training * 3), model_writer=model, minloglevel=2, **settings)
    return model.getvalue()


def converted(model, converter, prefix):
    """The tokenizer of transformers' converter, which transformers 5 has in parts only."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    vocabulary = {piece.piece: id for id, piece in enumerate(proto.pieces)}
    merges = generate_merges(vocabulary, {piece.piece: piece.score for piece in proto.pieces if piece.type in (1, 4)})
    tokenizer = Tokenizer(BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made = converter.__new__(converter)
    made.original_tokenizer = type("Slow", (), {"legacy": True, "add_prefix_space": prefix})()
    tokenizer.normalizer = made.normalizer(proto)
    tokenizer.decoder = made.decoder("▁", prefix)
    tokenizer.add_tokens([AddedToken(p.piece, normalized=False, special=p.type != 4) for p in proto.pieces if p.type in (2, 3, 4)])
    return tokenizer


def agree(name, model, ids, special):
    """SentencePiece encodes every text without a special token or a byte's name as `ids` does."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    plain = [text for text in texts if not any(token in text for token in special)]
    differ = [text for text in plain if processor.encode(text) != ids(text)]
    assert not differ, (name, differ)
    print(f"{name}: {len(plain)} of {len(texts)} texts as in SentencePiece")


shutil.rmtree(out, ignore_errors=True)
os.makedirs(out)
with open(os.path.join(out, "texts.json"), "w") as handle:
    handle.write("[\n" + ",\n".join(as_json(text).strip() for text in texts) + "]\n")

# Llama as it was published, spaces as before the key `legacy`. Its older files call special tokens "normalized",
# which transformers does not heed for control tokens of the model.
llama = train(model_type="bpe", vocab_size=400)
token = lambda content: dict(content=content, lstrip=False, normalized=True, rstrip=False, single_word=False)
folder("llama", {"tokenizer.model": llama, "special_tokens_map.json": as_json({"bos_token": token("<s>"), "eos_token": token("</s>")})})
tokenizer = converted(llama, LlamaConverter, True)
encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
expect("llama", encode, tokenizer.decode)
agree("llama", llama, encode, ["<s>", "</s>", "<unk>"])

# Vicuna: the newer spaces, and tokens that were added after training.
config = {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": True, "add_eos_token": False,
          "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "[PAD]",
          "added_tokens_decoder": {str(id): dict(content=token, lstrip=False, rstrip=False, single_word=False, normalized=not special, special=special)
                                   for id, token, special in [(0, "<unk>", True), (1, "<s>", True), (2, "</s>", True), (400, "[PAD]", True), (401, "<gene>", False)]}}
path = folder("vicuna", {"tokenizer.model": llama, "tokenizer_config.json": as_json(config)})
vicuna = AutoTokenizer.from_pretrained(path)
expect("vicuna", lambda text: vicuna.encode(text, add_special_tokens=False), lambda ids: vicuna.decode(ids, skip_special_tokens=True))

# Gemma: no space before the text, other control tokens, runs of spaces and line ends as tokens of their own.
gemma = train(model_type="bpe", vocab_size=400, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>",
              user_defined_symbols=["<start_of_turn>", "\n\n", "▁▁", "▁▁▁▁"])
folder("gemma", {"tokenizer.model": gemma})
tokenizer = converted(gemma, GemmaConverter, False)
encode_gemma = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
expect("gemma", encode_gemma, tokenizer.decode)
agree("gemma", gemma, encode_gemma, ["<pad>", "<unk>", "▁▁", "   "])

# A unigram model, spaces at the ends and double ones removed. SentencePiece is the reference, so texts in which a
# special token or a byte's name stands, which SentencePiece does not look for, have no ids.
unigram = train(model_type="unigram", vocab_size=340, remove_extra_whitespaces=True)
folder("unigram", {"tokenizer.model": unigram})
processor = sentencepiece.SentencePieceProcessor(model_proto=unigram)
known = lambda text: not any(special in text for special in ["<s>", "</s>", "<unk>", "<0x"])
expect("unigram", lambda text: processor.encode(text) if known(text) else None, lambda ids: processor.decode(ids or []))

# GPT-2, its one special token not in any configuration, and BioMedLM, which names a token for padding.
trained = ByteLevelBPETokenizer()
trained.train_from_iterator(training * 3, vocab_size=420, special_tokens=[], show_progress=False)
bpe = json.loads(trained.to_str())["model"]
vocabulary = dict(sorted(bpe["vocab"].items(), key=lambda item: item[1]))
merges = "#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in bpe["merges"])
path = folder("gpt2", {"vocab.json": as_json(vocabulary | {"<|endoftext|>": len(vocabulary)}), "merges.txt": merges,
                       "special_tokens_map.json": as_json({"bos_token": "<|endoftext|>", "pad_token": "[PAD]"}),
                       "added_tokens.json": as_json({"[PAD]": len(vocabulary) + 1, "<gene>": len(vocabulary) + 2}),
                       "config.json": as_json({"model_type": "gpt2"})})
gpt2 = AutoTokenizer.from_pretrained(path)
expect("gpt2", lambda text: gpt2.encode(text, add_special_tokens=False), lambda ids: gpt2.decode(ids, skip_special_tokens=True))

# BioGPT: merges learnt here as fastBPE learns them.
moses = MosesTokenizer(lang="en")
words = collections.Counter(word for line in training for word in moses.tokenize(line, aggressive_dash_splits=True, escape=True))
words = {tuple(word[:-1]) + (word[-1] + "</w>",): count for word, count in words.items()}
symbols, learnt = sorted({symbol for word in words for symbol in word} | {c + end for c in "abcdefghijklmnopqrstuvwxyz0123456789" for end in ("", "</w>")}), []
for _ in range(260):
    pairs = collections.Counter()
    for word, count in words.items():
        for pair in itertools.pairwise(word):
            pairs[pair] += count
    best, count = max(pairs.items(), key=lambda item: (item[1], item[0]))
    if count < 2:
        break
    learnt.append((*best, count))
    joined = {}
    for word, times in words.items():
        new, at = [], 0
        while at < len(word):
            both = word[at:at + 2] == best
            new.append("".join(best) if both else word[at])
            at += 2 if both else 1
        joined[tuple(new)] = joined.get(tuple(new), 0) + times
    words = joined
tokens = ["<s>", "<pad>", "</s>", "<unk>"] + symbols + [left + right for left, right, _ in learnt]
path = folder("biogpt", {"vocab.json": as_json({token: id for id, token in enumerate(dict.fromkeys(tokens))}),
                         "merges.txt": "".join(f"{left} {right} {count}\n" for left, right, count in learnt),
                         "config.json": as_json({"model_type": "biogpt"})})
biogpt = AutoTokenizer.from_pretrained(path)
expect("biogpt", lambda text: biogpt.encode(text, add_special_tokens=False), lambda ids: biogpt.decode(ids, skip_special_tokens=True))
# The words before BPE, which hides differences in what is unknown.
with open(os.path.join(out, "biogpt", "words.json"), "w") as handle:
    tokenized = [biogpt.moses_tokenize(text, "en") for text in texts]
    detokenizer = MosesDetokenizer(lang="en")
    handle.write("[\n" + ",\n".join(as_json([" ".join(w), detokenizer.detokenize(w)]).strip() for w in tokenized) + "]\n")


def ranges(characters):
    points = sorted({ord(c) for c in characters})
    runs = [list(run) for _, run in itertools.groupby(enumerate(points), key=lambda pair: pair[1] - pair[0])]
    return " ".join(f"{run[0][1]:X}" if len(run) == 1 else f"{run[0][1]:X}-{run[-1][1]:X}" for run in runs)


letters = set(MosesDetokenizer.IsAlpha)
signs = set(VIRAMAS) | set(NUKTAS)
assert letters | signs == set(MosesTokenizer.IsAlpha) and letters | signs <= set(MosesTokenizer.IsAlnum)
prefixes = [prefix.strip() for prefix in NonbreakingPrefixes().words("en")]
numeric = [prefix.rpartition(" ")[0] for prefix in prefixes if prefix.endswith(" #NUMERIC_ONLY#")]
plain = [prefix for prefix in prefixes if not prefix.endswith(" #NUMERIC_ONLY#")]
assert not any(" " in prefix for prefix in numeric + plain), prefixes
lists = {"letters": ranges(letters), "signs": ranges(signs - letters), "digits": ranges(set(MosesTokenizer.IsAlnum) - letters - signs),
         "numbers": ranges(MosesTokenizer.IsN), "lower": ranges(MosesTokenizer.IsLower), "currency": ranges(MosesDetokenizer.IsSc),
         "abbreviations": " ".join(plain), "before_number": " ".join(numeric)}
with open(os.path.join(here, "../../src/tokens/moses.txt"), "w") as handle:
    handle.writelines(f"{name} {entries}\n" for name, entries in lists.items())
print({name: len(entries.split()) for name, entries in lists.items()}, len(letters), len(signs - letters), len(set(MosesTokenizer.IsAlnum) - letters - signs))
