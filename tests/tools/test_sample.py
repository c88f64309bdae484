"""四十处固定的弄坏，每一处都有测试看得出来；随机的四百处由每周的 make mutants 量。

一行：哪个文件、哪一行（去掉缩进）、其中的哪几个字、哪个测试会红。
改了那一行，这里跟着改；两翼同样的一处一起弄坏。
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = """
torch/gates/squeeze.py | nearest = int(abs((math.log2(in_channels) + 1) / 2)) | 2 | defaults::test_kernel_of_eca
torch/gates/squeeze.py | kernel_size = max(nearest + 1 - nearest % 2, 3) | 3 | defaults::test_kernel_of_eca
torch/gates/squeeze.py | kernel_size = max(nearest + 1 - nearest % 2, 3) | % | defaults::test_kernel_of_eca
torch/gates/squeeze.py | match(x, self.fc1) | match(x, self.fc1) | precision::test_another_precision_than_the_weights
torch/gates/cbam.py | reduction_ratio: int = 16, | 16 | defaults::test_default_of_a_wing
torch/gates/spatial.py | self, kernel_size: int = 7, *, pooling: str = "both", spatial_norm: bool = False | 7 | defaults::test_default_of_a_wing
torch/gates/coordinate.py | self.scale = 4.0  # 两道门，各是 ½ | 4.0 | attention::test_identity_init_changes_no_bit_and_can_learn
torch/gates/simam.py | return distance / (4 * (variance + small)), variance | 4 | precision::test_simam_answers_when_a_square_does_not_fit
torch/gates/simam.py | variance = distance.sum((2, 3), keepdim=True) / (pixels - 1)  # (B, C, 1, 1) | 1 | precision::test_simam_answers_when_a_square_does_not_fit
torch/transformer.py | self.norm1 = init.LayerNorm(embed_dim, 1e-6) | 1e-6 | defaults::test_epsilon_of_a_vit
torch/transformer.py | self.norm2 = init.LayerNorm(embed_dim, 1e-6) | 1e-6 | defaults::test_epsilon_of_a_vit
torch/self_attention.py | self.scale = width**-0.5 if checks.flag("scale", scale) else 1.0 | 0.5 | attention::test_self_attention_equals_its_formula
torch/self_attention.py | return x + mixed if self.gamma is None else x + self.gamma * mixed | * | attention::test_self_attention_2d_equals_its_formula
torch/last_block.py | x = x[:, :1] + block.drop_path(_attend(block.attn, block.norm1(x))) | + | taken_apart::test_the_short_cut_gives_the_same_classes_and_gradients
torch/init.py | def transformer(model: nn.Module, std: float = 0.02) -> None: | 0.02 | defaults::test_default_of_a_wing
training/schedules.py | progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1) | / | schedules::test_cosine_by_hand
training/schedules.py | return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2 | 2 | defaults::test_learning_rate_on_the_way
training/schedules.py | return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2 | + | defaults::test_learning_rate_ends_at_the_floor
training/schedules.py | return peak * (step + 1) / warmup_steps | 1 | schedules::test_first_step_is_not_wasted
training/config.py | weight_decay: float = 0.05 | 0.05 | defaults::test_default_of_the_ground_floor
training/config.py | number("momentum", self.momentum, share, least=0, below=1) | number("momentum", self.momentum, share, least=0, below=1) | config::test_wrong_value_is_named
training/diagnosis.py | NEGLIGIBLE = 0.05 | 0.05 | defaults::test_every_constant_of_the_ground_floor
training/diagnosis.py | return guess + 3 * math.sqrt(guess * (1 - guess) / test_size) | 3 | diagnosis::test_chance_depends_on_the_size_of_the_test_set
training/snapshots.py | if len(set(map(len, curves))) > 1 or not plain: | 1 | training::test_a_checkpoint_with_strange_curves_is_said
data/augment.py | pad = h // 8 | 8 | augment::test_crop_is_a_shift_of_at_most_an_eighth
data/augment.py | flipped = rng.random(len(images)) < 0.5 | 0.5 | augment::test_half_of_the_images_are_mirrored
data/augment.py | JITTER = 0.3  # 颜色抖动的幅度，占上限的份额 | 0.3 | defaults::test_every_constant_of_the_ground_floor
data/transforms.py | LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601 的亮度权重 | 0.299 | defaults::test_every_constant_of_the_ground_floor
data/held_out.py | SHARE = 0.2  # 没有说时，留出几成 | 0.2 | folder::test_fifth_is_held_out_whatever_the_seed
data/pickles.py | if kind is not _ARRAY or shape != (0,) or self.arrays < 0: | != | cifar10::test_pickles_that_would_fill_the_memory_are_refused
data/harder.py | pixel_noise: float = 0.0, | 0.0 | defaults::test_every_other_default_of_the_ground_floor
statistics.py | LEVEL = 0.95 | 0.95 | defaults::test_interval_by_hand
statistics.py | p = 2 * float(stdtr(n - 1, -abs(mean) / error)) | 2 | studies::test_interval_is_the_t_interval
statistics.py | largest = max(largest, min(1.0, p_values[index] * (len(order) - rank))) | - | studies::test_holm_by_hand
statistics.py | mean = (sum(ours) - sum(theirs)) / n | - | defaults::test_difference_of_two_shares_by_hand
geometry.py | return np.pad(mask, (1, 0), constant_values=True) if class_token else mask | True | inspect::test_window_mask_by_hand
geometry.py | frequency = 10000.0 ** (-np.arange(quarter) / quarter) | 10000.0 | defaults::test_sines_and_cosines_by_hand
specs.py | middle = self.expansion * max(self.widths) | * | defaults::test_widest_inverted_residual
specs.py | IMAGENET_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)} | 4 | pretrained::test_parameters_are_the_published_ones
studies/design/schema.py | MOST_SEEDS = 1000 | 1000 | hostile_studies::test_a_strange_study_is_one_sentence_with_its_line
"""  # noqa: E501
CODE = """
import json, sys
from tools.proof import mutants
print(json.dumps(mutants.sample(json.load(sys.stdin))))
"""


def rows():
    for line in SAMPLE.strip().splitlines():
        yield [part.strip() for part in line.split(" | ")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="分出进程要 Unix")
def test_forty_changes_are_all_noticed():
    chosen = list(rows())
    assert len(chosen) == 40
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(chosen),
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    unseen = json.loads(done.stdout.splitlines()[-1])
    assert not unseen, "没有看出来：\n" + "\n".join(unseen)
