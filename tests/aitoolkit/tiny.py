"""Tiny base models with random weights, in the folders that AI-Toolkit loads; made by the tests, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

VERSION = "2"  # of what is made here; another number makes the files anew
FAMILIES = ("sd15", "sdxl", "flux", "z-image")
CACHE = Path(__file__).resolve().parents[2] / ".work" / "aitoolkit"


def make(family: str, cache: Path) -> Path:
    """Make a family's model unless it is there; return its folder."""
    folder = cache / f"{family}-{VERSION}"
    if not (folder / "model_index.json").exists():
        import torch

        torch.manual_seed(0)
        {"sd15": _sd15, "sdxl": _sdxl, "flux": _flux, "z-image": _z_image}[family](folder)
    return folder


def clip_tokenizer(folder: Path) -> Any:
    """Make CLIP's kind of tokenizer: letters, and letters that end a word."""
    import json

    from transformers import CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in range(33, 127)]
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    made = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)
    made.save_pretrained(str(folder))
    return made


def word_tokenizer(folder: Path, kind: str) -> Any:
    """Make a tokenizer of whole bytes for T5 and Qwen."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    special = ["<pad>", "</s>", "<unk>"] if kind == "t5" else ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: number for number, token in enumerate([*special, *alphabet])}
    if kind == "t5":  # its reader takes no other kind
        tokenizer = Tokenizer(models.Unigram([(token, -1.0) for token in vocab], unk_id=2))
    else:
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token=special[-1]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=special[0],
        eos_token=special[1] if kind == "t5" else special[2],
        unk_token=special[2] if kind == "t5" else special[0],
        model_max_length=128,
    )
    if kind == "qwen":
        made.chat_template = (
            "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
            "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
        )
    made.save_pretrained(str(folder))
    return made


def clip_text(kind: Any, width: int, projected: int) -> Any:
    from transformers import CLIPTextConfig

    config = CLIPTextConfig(
        vocab_size=200,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=projected,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return kind(config)


def vae_of(channels: int, scale: float, shift: float | None = None, *, quant: bool = True) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=channels,
        block_out_channels=[32] * 4,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=scale,
        shift_factor=shift,
        use_quant_conv=quant,
        use_post_quant_conv=quant,
    )


def ddpm() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )


def _sd15(folder: Path) -> None:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    StableDiffusionPipeline(
        vae=vae_of(4, 0.18215),
        text_encoder=clip_text(CLIPTextModel, 32, 32),
        tokenizer=clip_tokenizer(folder / "tokenizer"),
        unet=unet,
        scheduler=ddpm(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(str(folder))


def _sdxl(folder: Path) -> None:
    from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=64,
        attention_head_dim=(4, 8),
        transformer_layers_per_block=(1, 2),
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32,
    )
    StableDiffusionXLPipeline(
        vae=vae_of(4, 0.13025),
        text_encoder=clip_text(CLIPTextModel, 32, 32),
        text_encoder_2=clip_text(CLIPTextModelWithProjection, 32, 32),
        tokenizer=clip_tokenizer(folder / "tokenizer"),
        tokenizer_2=clip_tokenizer(folder / "tokenizer_2"),
        unet=unet,
        scheduler=ddpm(),
    ).save_pretrained(str(folder))


def _flux(folder: Path) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel, T5Config, T5EncoderModel

    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    texts = T5Config(
        vocab_size=300, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu"
    )
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae_of(16, 0.3611, 0.1159, quant=False),
        text_encoder=clip_text(CLIPTextModel, 32, 32),
        tokenizer=clip_tokenizer(folder / "tokenizer"),
        text_encoder_2=T5EncoderModel(texts),
        tokenizer_2=word_tokenizer(folder / "tokenizer_2", "t5"),
        transformer=transformer,
    ).save_pretrained(str(folder))


def _z_image(folder: Path) -> None:
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    transformer = ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=16,
        dim=64,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[8, 12, 12],
        axes_lens=[256, 64, 64],
    )
    texts = Qwen3Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
    )
    ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=vae_of(16, 0.3611, 0.1159, quant=False),
        text_encoder=Qwen3ForCausalLM(texts),
        tokenizer=word_tokenizer(folder / "tokenizer", "qwen"),
        transformer=transformer,
    ).save_pretrained(str(folder))
