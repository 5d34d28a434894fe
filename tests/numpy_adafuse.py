"""ADaFuSE, its loss, their gradients and AdamW, written once more in NumPy float64, from the formulas alone.

Gradients are derived by hand. Weights go by the names of the published module's parts.
Shape suffixes: B batch, D feature, J joint, H hidden, E experts.
"""

import numpy as np
from scipy.special import erf


def gelu(x):
    """x Phi(x), Phi the normal distribution."""
    return x * (1 + erf(x / np.sqrt(2))) / 2


def gelu_slope(x):
    """Phi(x) + x phi(x)."""
    return (1 + erf(x / np.sqrt(2))) / 2 + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def softmax(x, axis):
    """Softmax along an axis."""
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)


def forward(w, text, image):
    """Return the queries, and all that the backward pass needs."""
    c = {"text": text, "image": image}
    c["a"] = text @ w["text.weight"].T + w["text.bias"]
    c["b"] = image @ w["image.weight"].T + w["image.bias"]
    c["u"] = u = np.concatenate([gelu(c["a"]), gelu(c["b"])], axis=1)
    c["g"] = u @ w["gate1.weight"].T + w["gate1.bias"]
    c["lambda"] = gate = 1 / (1 + np.exp(-(gelu(c["g"]) @ w["gate2.weight"].T + w["gate2.bias"])))
    c["r"] = u @ w["router1.weight"].T + w["router1.bias"]
    c["p"] = p = softmax(gelu(c["r"]) @ w["router2.weight"].T + w["router2.bias"], axis=1)
    c["h"] = [u @ w[f"expert{e}.weight"].T + w[f"expert{e}.bias"] for e in range(p.shape[1])]
    c["m"] = sum(p[:, e : e + 1] * gelu(h) for e, h in enumerate(c["h"]))
    c["q"] = gate * text + (1 - gate) * image + c["m"] @ w["residual.weight"].T + w["residual.bias"]
    c["norm"] = np.linalg.norm(c["q"], axis=1, keepdims=True)
    c["z"] = c["q"] / c["norm"]
    return c["z"], c


def loss_of(z, target, log_scale):
    """Symmetric InfoNCE, every other row a negative: the loss, and its slopes by z and by log_scale."""
    scale, count = np.exp(log_scale), len(z)
    cosines = z @ target.T
    by_row, by_column = (softmax(scale * cosines, axis=axis) for axis in (1, 0))
    own = np.eye(count)
    loss = -(np.log(by_row[own == 1]) + np.log(by_column[own == 1])).mean() / 2
    d_logits = (by_row - own + by_column - own) / (2 * count)
    return loss, scale * d_logits @ target, (d_logits * scale * cosines).sum()


def gradients(w, text, image, target):
    """Return the loss and its gradient by each weight."""
    z, c = forward(w, text, image)
    loss, d_z, d_log_scale = loss_of(z, target, w["log_scale"])
    found = {"log_scale": d_log_scale}
    d_q = (d_z - z * (z * d_z).sum(axis=1, keepdims=True)) / c["norm"]
    d_u = np.zeros_like(c["u"])

    def linear(name, d_out, inputs):
        """Note the gradients of a layer; return that of its inputs."""
        found[f"{name}.weight"], found[f"{name}.bias"] = d_out.T @ inputs, d_out.sum(axis=0)
        return d_out @ w[f"{name}.weight"]

    d_m = linear("residual", d_q, c["m"])
    d_p = np.empty_like(c["p"])
    for e, h in enumerate(c["h"]):
        d_p[:, e] = (d_m * gelu(h)).sum(axis=1)
        d_u += linear(f"expert{e}", c["p"][:, e : e + 1] * d_m * gelu_slope(h), c["u"])
    d_likes = c["p"] * (d_p - (c["p"] * d_p).sum(axis=1, keepdims=True))
    d_u += linear("router1", linear("router2", d_likes, gelu(c["r"])) * gelu_slope(c["r"]), c["u"])
    d_gate = (d_q * (text - image)).sum(axis=1, keepdims=True) * c["lambda"] * (1 - c["lambda"])
    d_u += linear("gate1", linear("gate2", d_gate, gelu(c["g"])) * gelu_slope(c["g"]), c["u"])
    half = d_u.shape[1] // 2
    linear("text", d_u[:, :half] * gelu_slope(c["a"]), text)
    linear("image", d_u[:, half:] * gelu_slope(c["b"]), image)
    return loss, found


def clipped(found, most):
    """Gradients scaled down so that all of them together have a norm of ``most`` at the largest."""
    norm = np.sqrt(sum((g**2).sum() for g in found.values()))
    return {name: g * min(1, most / (norm + 1e-6)) for name, g in found.items()}


def adamw(w, steps, rates, decay):
    """Weights after some steps of AdamW; only matrices decay."""
    w = {name: np.array(value, dtype=np.float64) for name, value in w.items()}
    first, second = ({name: np.zeros_like(value) for name, value in w.items()} for _ in range(2))
    for t, (step, rate) in enumerate(zip(steps, rates, strict=True), start=1):
        for name, g in step(w).items():
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g**2
            if w[name].ndim > 1:
                w[name] = w[name] * (1 - rate * decay)
            mean, square = first[name] / (1 - 0.9**t), second[name] / (1 - 0.999**t)
            w[name] = w[name] - rate * mean / (np.sqrt(square) + 1e-8)
    return w
