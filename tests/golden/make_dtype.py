"""Makes dtype_codes.bin: 3000 floats and their codes as PyTorch gives them.

Records of little-endian (float32 x, uint16 float16, bfloat16, float8_e4m3fn, float8_e5m2): for every format, numbers of
its own, the ties between neighbours and what lies a float32 step beside the ties; specials; random bits. A NaN is stored
as 0xFFFF, since the sign and the payload that it gets are nobody's contract. E4M3 saturates where it overflows, as it
does in PyTorch 2.15 (earlier ones gave NaN)."""
import pathlib

import numpy as np
import torch

FORMATS = [(torch.float16, torch.int16), (torch.bfloat16, torch.int16),
           (torch.float8_e4m3fn, torch.int8), (torch.float8_e5m2, torch.int8)]
COUNT = 3000


def around_ties(dtype, integer, how_many, rng):
    codes = torch.arange(0, 2 ** (8 * integer.itemsize - 1)).to(integer)
    values = codes.view(dtype).to(torch.float64)
    values = values[values.isfinite()].numpy()
    at = np.arange(len(values) - 1) if len(values) <= how_many else rng.integers(0, len(values) - 1, how_many)
    ties = ((values[at] + values[at + 1]) / 2).astype(np.float32)
    return np.concatenate([values[at].astype(np.float32), ties, np.nextafter(ties, np.float32(0)),
                           np.nextafter(ties, np.float32(np.inf))])


rng = np.random.default_rng(1)
special = np.array([0, 1, 448, 464, 480, 57344, 61440, 65504, 65519, 65520, 65536, 3.3895314e38, 3.3961775e38, 3.4028235e38,
                    np.inf, np.nan, 1e-45, 1.1754944e-38, 2**-9, 2**-10, 2**-16, 2**-17, 2**-24, 2**-25], np.float32)
floats = np.concatenate([special, -special] + [around_ties(d, i, 126, rng) for d, i in FORMATS])
floats[len(special)::3] *= -1
random = rng.integers(0, 2**32, COUNT - len(floats), dtype=np.uint32).view(np.float32)
floats = np.concatenate([floats, random])

records = np.zeros(COUNT, dtype=[("x", "<f4"), ("codes", "<u2", 4)])
records["x"] = floats
for column, (dtype, integer) in enumerate(FORMATS):
    converted = torch.from_numpy(floats).to(dtype)
    codes = converted.view(integer).numpy().view(np.uint16 if integer.itemsize == 2 else np.uint8).astype(np.uint16)
    records["codes"][:, column] = np.where(converted.to(torch.float32).isnan().numpy(), 0xFFFF, codes)
pathlib.Path(__file__).with_name("dtype_codes.bin").write_bytes(records.tobytes())
