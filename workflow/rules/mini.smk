MINI = "resources/mini"
MINI_MODELS = f"{layout.results}/models"
MINI_SCRATCH = f"{layout.results}/scratch/models"


rule make_mini:
    output:
        expand(
            f"{MINI}/{{name}}.json",
            name=["corpus", "val", "val-llm", "val-repetitive", "train-corpus", "train"],
        ),
    log:
        "logs/mini/make.log",
    benchmark:
        "benchmarks/mini/make.tsv"
    params:
        code=code_revision("daitir.mini.make"),
    resources:
        mem_mb=1_000,
    shell:
        f"python -m daitir.mini.make --output {MINI}" " 2>&1 | tee {log}"


rule train_mini_autoencoder:
    output:
        model=f"{MINI_MODELS}/mini-autoencoder/diffusion_pytorch_model.safetensors",
    log:
        "logs/mini/autoencoder.log",
    benchmark:
        "benchmarks/mini/autoencoder.tsv"
    params:
        scratch=f"{MINI_SCRATCH}/autoencoder",
    shell:
        "python -m daitir.mini.train_autoencoder"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " 2>&1 | tee {log}"


rule train_mini_sd3:
    input:
        autoencoder=f"{MINI_MODELS}/mini-autoencoder/diffusion_pytorch_model.safetensors",
    output:
        model=f"{MINI_MODELS}/mini-sd3/model_index.json",
    log:
        "logs/mini/sd3.log",
    benchmark:
        "benchmarks/mini/sd3.tsv"
    params:
        scratch=f"{MINI_SCRATCH}/sd3",
    shell:
        "python -m daitir.mini.train_sd3"
        " --autoencoder $(dirname {input.autoencoder:q})"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " 2>&1 | tee {log}"


rule train_mini_blip:
    output:
        model=f"{MINI_MODELS}/mini-blip/config.json",
    log:
        "logs/mini/blip.log",
    benchmark:
        "benchmarks/mini/blip.tsv"
    params:
        scratch=f"{MINI_SCRATCH}/blip",
    shell:
        "python -m daitir.mini.train_blip"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " 2>&1 | tee {log}"


rule train_mini_llm:
    output:
        model=f"{MINI_MODELS}/mini-llm/config.json",
    log:
        "logs/mini/llm.log",
    benchmark:
        "benchmarks/mini/llm.tsv"
    params:
        scratch=f"{MINI_SCRATCH}/llm",
    shell:
        "python -m daitir.mini.train_llm"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " 2>&1 | tee {log}"


rule mini_models:
    input:
        rules.train_mini_sd3.output,
        rules.train_mini_blip.output,
        rules.train_mini_llm.output,
