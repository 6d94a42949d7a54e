"""The form of exported graphs, for modules that do without Optimum."""

OPSET = 18

# Seen: up to 8e-6 at base geometry with random weights, 2e-5 with emoji_blip's trained ones.
# Larger trained models get room; what this lets through has to pass the captions' comparison.
GRAPH_TOLERANCE = 1e-3
