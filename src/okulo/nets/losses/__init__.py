"""Losses as pure functions: logits and targets, both `[n, k]`, to one loss per row `[n]`.

Targets are probabilities, so that smoothing, mixup and distillation are the same thing to every loss.
Rows are not averaged here: weights and devices decide how.
"""
