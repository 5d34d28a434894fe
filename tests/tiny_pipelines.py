"""Tiny random diffusion pipelines in the standard directory format, all of 16 or 32 px."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SanaSprintPipeline,
    SanaTransformer2DModel,
    SCMScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPImageProcessor, CLIPTextModel

from tests.tiny_pipelines_texts import (
    clip_text,
    clip_tokenizer,
    gemma_text,
    gemma_tokenizer,
    publish,
    t5_text,
    t5_tokenizer,
)


def autoencoder() -> AutoencoderKL:
    """16 px pictures, latents of 8 x 8 with 4 channels."""
    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=16,
        scaling_factor=1.0,
        shift_factor=0.0,
    )


def sd3(folder: Path, t5: bool = False, **architecture) -> Path:
    """A Stable Diffusion 3 pipeline, with its third text encoder or without."""
    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=40,
        caption_projection_dim=32,
        pooled_projection_dim=40,
        pos_embed_max_size=4,
        **architecture,
    )
    StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=autoencoder(),
        text_encoder=clip_text(24),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(16),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_text(40) if t5 else None,
        tokenizer_3=t5_tokenizer() if t5 else None,
    ).save_pretrained(folder)
    return publish(folder)


def sd3_t5(folder: Path) -> Path:
    """A Stable Diffusion 3 pipeline with its T5."""
    return sd3(folder, t5=True)


def sd35(folder: Path) -> Path:
    """A Stable Diffusion 3.5 pipeline: normalised queries and keys, and a second attention in some layers."""
    return sd3(folder, t5=True, qk_norm="rms_norm", dual_attention_layers=(0,))


def sd2(folder: Path) -> Path:
    """A Stable Diffusion 2.1 pipeline, which predicts velocities."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=24,
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        upcast_attention=True,
        norm_num_groups=2,
    )
    StableDiffusionPipeline(
        unet=unet,
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            prediction_type="v_prediction",
            set_alpha_to_one=False,
            steps_offset=1,
            clip_sample=False,
        ),
        vae=autoencoder(),
        text_encoder=clip_text(24, CLIPTextModel),
        tokenizer=clip_tokenizer(),
        safety_checker=None,
        feature_extractor=CLIPImageProcessor(),
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return publish(folder)


def sdxl(folder: Path, scheduler=None) -> Path:
    """A Stable Diffusion XL pipeline."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=64,
        cross_attention_dim=40,
        norm_num_groups=2,
    )
    StableDiffusionXLPipeline(
        unet=unet,
        scheduler=scheduler or EulerDiscreteScheduler(),
        vae=autoencoder(),
        text_encoder=clip_text(24, CLIPTextModel),
        text_encoder_2=clip_text(16),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
    ).save_pretrained(folder)
    return publish(folder)


def sdxl_turbo(folder: Path) -> Path:
    """An SDXL-Turbo pipeline: that of SDXL with a scheduler that adds noise at every step."""
    return sdxl(folder, EulerAncestralDiscreteScheduler(timestep_spacing="trailing"))


def flux(folder: Path) -> Path:
    """A FLUX.1-schnell pipeline, with CLIP and T5, distilled without a guidance."""
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=24,
        guidance_embeds=False,
        axes_dims_rope=(4, 4, 8),
    )
    FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        vae=autoencoder(),
        text_encoder=clip_text(24, CLIPTextModel),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5_text(32),
        tokenizer_2=t5_tokenizer(),
        transformer=transformer,
    ).save_pretrained(folder)
    return publish(folder)


def sana(folder: Path) -> Path:
    """A SANA-Sprint pipeline of 32 px: Gemma 2 reads, a deep-compression autoencoder decodes."""
    torch.manual_seed(0)
    transformer = SanaTransformer2DModel(
        in_channels=4,
        out_channels=4,
        num_attention_heads=2,
        attention_head_dim=8,
        num_layers=1,
        num_cross_attention_heads=2,
        cross_attention_head_dim=8,
        cross_attention_dim=16,
        caption_channels=32,
        sample_size=8,
        patch_size=1,
        guidance_embeds=True,
        qk_norm="rms_norm_across_heads",
        timestep_scale=1000.0,
    )
    channels = {"encoder_block_out_channels": (8,) * 3, "decoder_block_out_channels": (8,) * 3}
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
        encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1),
        encoder_qkv_multiscales=((), (), (5,)),
        decoder_qkv_multiscales=((), (), (5,)),
        upsample_block_type="interpolate",
        downsample_block_type="Conv",
        scaling_factor=0.41407,
        **channels,
    )
    SanaSprintPipeline(
        tokenizer=gemma_tokenizer(),
        text_encoder=gemma_text(32),
        vae=vae,
        transformer=transformer,
        scheduler=SCMScheduler(),
    ).save_pretrained(folder)
    return publish(folder)
