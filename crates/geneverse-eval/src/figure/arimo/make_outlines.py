#!/usr/bin/env python3
"""Outlines of Arimo for pictures: letters.txt from Arimo-Regular.ttf and Arimo-Bold.ttf (fontTools 4.68, Arimo 1.33).

    python make_outlines.py Arimo-Regular.ttf Arimo-Bold.ttf > letters.txt

A line is style (R or B), code point, advance, and contours of M (move), L (line) and Q (quadratic curve) in 2048ths of
the type size, y upwards. Arimo's widths are Arial's, so that a text is as wide in the SVG as it was reckoned.
"""
import sys

from fontTools.pens.basePen import decomposeQuadraticSegment
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

ASCII = list(range(0x20, 0x7F))
MORE = [ord(letter) for letter in "°±²³µ·×ßäöüéèçñÄÖÜÉåøÅØαβγδεζκλμπρστφχψωΓΔΣΩ–—‘’“”…•→−≤≥≈⁻₀₁₂₃¹⁰⁴⁵⁶⁷⁸⁹†′"]

for style, path in zip("RB", sys.argv[1:]):
    font = TTFont(path)
    glyphs, names = font.getGlyphSet(), font.getBestCmap()
    for code in ASCII + MORE:
        if code not in names:
            continue
        pen = DecomposingRecordingPen(glyphs)
        glyphs[names[code]].draw(pen)
        words = []
        for action, points in pen.value:
            if action == "moveTo":
                words.append("M {} {}".format(*points[0]))
            elif action == "lineTo":
                words.append("L {} {}".format(*points[0]))
            elif action == "qCurveTo":
                if points[-1] is None:
                    raise SystemExit(f"{code:x}: a contour without a point on it")
                for control, end in decomposeQuadraticSegment(points):
                    words.append("Q {} {} {} {}".format(*(round(number) for number in (*control, *end))))
        print(style, f"{code:04x}", glyphs[names[code]].width, *words)
