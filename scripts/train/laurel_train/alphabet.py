"""The reader's alphabet and slots, and how a plate's text becomes labels and back."""

PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"
SPECIALS = "警学挂港澳使领应急"

ALPHABET = [""] + list(PROVINCES + LETTERS + DIGITS + SPECIALS)
INDEX = {c: i for i, c in enumerate(ALPHABET)}
INDEX["O"] = INDEX["0"]  # they look the same; the grammar decides
INDEX["I"] = INDEX["1"]

SLOTS = 9
CLASSES = ["blue", "green", "yellow", "white", "black"]
CLASS_INDEX = {c: i for i, c in enumerate(CLASSES)}
CLASS_INDEX.update(yellow1=2, yellow2=2)
UNKNOWN = -1


def encode(text: str) -> list[int]:
    """Slot labels of a plate's text; raises KeyError on a character no plate has."""
    labels = [INDEX[c] for c in text]
    if len(labels) > SLOTS:
        raise KeyError(f"{text} is longer than {SLOTS} characters")
    return labels + [0] * (SLOTS - len(labels))


def decode(labels) -> str:
    """Text of slot labels; blanks are skipped wherever they stand."""
    return "".join(ALPHABET[int(i)] for i in labels)


def same(a: str, b: str) -> bool:
    """All characters right, the letter O and the digit 0 alike."""
    return a.replace("O", "0") == b.replace("O", "0")
