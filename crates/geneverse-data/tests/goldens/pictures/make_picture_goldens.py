"""Goldens of pictures as Pillow reads and resizes them.

    python3 -m venv peer && peer/bin/pip install numpy pillow==11.3.0
    peer/bin/python make_picture_goldens.py

Writes beside itself: NAME.in.png and NAME.in.jpg, files of every kind; NAME.rgb.png, what transformers 5.24 makes of each
before a model sees it (`convert("RGB")`, on white where it is transparent);
NAME.WxH.resized.png, that picture at W x H by `resize(…, BICUBIC)`. Pillow writes no PNG of 16 bits a colour and none
that is interlaced, so these are put together here.
"""
import io, os, struct, zlib
import numpy as np
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(5)


def scene(width, height, channels):
    """Smooth slopes, hard edges and noise: what a wrong weight shows in."""
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        wave = 127 + 90 * np.sin(x / (3.1 + c) + y / (5.3 - c)) + 60 * ((x // 4 + y // 3 + c) % 2)
        planes.append(wave + rng.integers(-40, 40, (height, width)))
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


def png(width, height, colour, bits, lines, interlaced=0):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    data = zlib.compress(b"".join(b"\0" + bytes(line) for line in lines))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def keep(name, end, data):
    with open(f"{name}.in.{end}", "wb") as file: file.write(data)
    picture = Image.open(io.BytesIO(data))
    if "A" in picture.getbands() or picture.info.get("transparency") is not None:
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    picture.convert("RGB").save(f"{name}.rgb.png", optimize=True)


def saved(picture, form, **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


rgb = Image.fromarray(scene(23, 17, 3))
keep("rgb", "png", saved(rgb, "PNG"))
keep("rgba", "png", saved(Image.fromarray(scene(19, 11, 4), "RGBA"), "PNG"))
keep("grey", "png", saved(rgb.convert("L"), "PNG"))
keep("greyalpha", "png", saved(Image.fromarray(scene(9, 14, 2), "LA"), "PNG"))
keep("palette", "png", saved(rgb.quantize(13), "PNG"))
keep("transparent", "png", saved(rgb.quantize(200), "PNG", transparency=bytes(range(0, 200))))
keep("bit", "png", saved(rgb.convert("1"), "PNG"))
fours = rng.integers(0, 256, (5, 4), dtype=np.uint8)
keep("twobits", "png", png(13, 5, 0, 2, fours))
deep = rng.integers(0, 256, (6, 7 * 6), dtype=np.uint8)
keep("deep", "png", png(7, 6, 2, 16, deep))
keep("deepalpha", "png", png(7, 6, 6, 16, rng.integers(0, 256, (6, 7 * 8), dtype=np.uint8)))
# Interlaced: seven passes, each a picture of its own (Adam7).
full = scene(11, 9, 3)
passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
lines = [line.tobytes() for x, y, dx, dy in passes for line in full[y::dy, x::dx] if line.size]
keep("interlaced", "png", png(11, 9, 2, 8, lines, interlaced=1))

keep("whole", "jpg", saved(rgb, "JPEG", quality=95, subsampling=0))
keep("subsampled", "jpg", saved(Image.fromarray(scene(37, 29, 3)), "JPEG", quality=90, subsampling=2))
keep("halved", "jpg", saved(Image.fromarray(scene(37, 29, 3)), "JPEG", quality=90, subsampling=1))
keep("progressive", "jpg", saved(rgb, "JPEG", quality=85, progressive=True, subsampling=0))
keep("greyjpeg", "jpg", saved(rgb.convert("L"), "JPEG", quality=90))
keep("cmyk", "jpg", saved(Image.fromarray(scene(21, 18, 4), "CMYK"), "JPEG", quality=95, subsampling=0))

for name, width, height in [("pixel", 1, 1), ("column", 1, 61), ("line", 83, 1), ("wide", 211, 13), ("tall", 29, 97)]:
    Image.fromarray(scene(width, height, 3)).save(f"{name}.rgb.png", optimize=True)
for name, sizes in {"pixel": [(1, 1), (5, 3)], "column": [(1, 7), (14, 20)], "line": [(14, 1), (90, 4)],
                    "wide": [(20, 13), (227, 14), (40, 5)], "tall": [(14, 46), (30, 98), (3, 3)],
                    "rgb": [(14, 10), (31, 23), (23, 9), (64, 17)]}.items():
    for width, height in sizes:
        picture = Image.open(f"{name}.rgb.png").resize((width, height), Image.Resampling.BICUBIC)
        picture.save(f"{name}.{width}x{height}.resized.png", optimize=True)

# What libjpeg does with chroma in progressive files, after restart markers, and where there is too little of it to interpolate.
keep("progressivehalf", "jpg", saved(Image.fromarray(scene(45, 35, 3)), "JPEG", quality=70, progressive=True, subsampling=2))
keep("restarted", "jpg", saved(Image.fromarray(scene(41, 27, 3)), "JPEG", quality=80, subsampling=1, restart_marker_blocks=2))
keep("narrow", "jpg", saved(Image.fromarray(scene(5, 21, 3)), "JPEG", quality=90, subsampling=2))
keep("thin", "jpg", saved(Image.fromarray(scene(4, 9, 3)), "JPEG", quality=90, subsampling=2))
