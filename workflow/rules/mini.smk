CHATIR = "resources/chatir"
MINI = "resources/mini"
MINI_MODELS = f"{layout.results}/models"
MINI_SCRATCH = f"{layout.results}/scratch/models"


rule make_mini:
    output:
        expand(
            f"{MINI}/{{name}}.json",
            name=[
                "corpus",
                "val",
                "val-llm",
                "val-repetitive",
                "train-corpus",
                "train",
                "train-all",
            ],
        ),
        images=directory(f"{MINI}/images"),
        train_images=directory(f"{MINI}/train-images"),
    log:
        layout.log("mini", "make"),
    benchmark:
        layout.benchmark("mini", "make")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(1),
    params:
        code=code_revision("daitir.mini.make"),
    shell:
        f"python -m daitir.mini.make --output {MINI}" " 2>&1 | tee {log:q}"


rule make_stand_ins:
    input:
        names=f"{CHATIR}/Search_Space_val_50k.json",
        dialogues=f"{CHATIR}/VisDial_v1.0_queries_val.json",
    output:
        list="resources/stand-ins/corpus.json",
        images=directory("resources/stand-ins/images"),
    log:
        layout.log("mini", "stand-ins"),
    benchmark:
        layout.benchmark("mini", "stand-ins")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(1),
    params:
        code=code_revision("daitir.mini.stand_ins"),
        limit=64,
        candidates=2_000,
    shell:
        "python -m daitir.mini.stand_ins"
        " --names {input.names:q}"
        " --dialogues {input.dialogues:q}"
        " --limit {params.limit}"
        " --candidates {params.candidates}"
        " --output $(dirname {output.list:q})"
        " 2>&1 | tee {log:q}"


rule train_mini_autoencoder:
    output:
        model=f"{MINI_MODELS}/mini-autoencoder/diffusion_pytorch_model.safetensors",
    log:
        layout.log("mini", "autoencoder"),
    benchmark:
        layout.benchmark("mini", "autoencoder")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(24),
    params:
        scratch=f"{MINI_SCRATCH}/autoencoder",
    shell:
        "python -m daitir.mini.train_autoencoder"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " --threads {threads}"
        " 2>&1 | tee {log:q}"


rule train_mini_sd3:
    input:
        autoencoder=f"{MINI_MODELS}/mini-autoencoder/diffusion_pytorch_model.safetensors",
    output:
        model=f"{MINI_MODELS}/mini-sd3/model_index.json",
    log:
        layout.log("mini", "sd3"),
    benchmark:
        layout.benchmark("mini", "sd3")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(24),
    params:
        scratch=f"{MINI_SCRATCH}/sd3",
    shell:
        "python -m daitir.mini.train_sd3"
        " --autoencoder $(dirname {input.autoencoder:q})"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " --threads {threads}"
        " 2>&1 | tee {log:q}"


rule train_mini_blip:
    output:
        model=f"{MINI_MODELS}/mini-blip/config.json",
    log:
        layout.log("mini", "blip"),
    benchmark:
        layout.benchmark("mini", "blip")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(24),
    params:
        scratch=f"{MINI_SCRATCH}/blip",
    shell:
        "python -m daitir.mini.train_blip"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " --threads {threads}"
        " 2>&1 | tee {log:q}"


rule train_mini_llm:
    output:
        model=f"{MINI_MODELS}/mini-llm/config.json",
    log:
        layout.log("mini", "llm"),
    benchmark:
        layout.benchmark("mini", "llm")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(24),
    params:
        scratch=f"{MINI_SCRATCH}/llm",
    shell:
        "python -m daitir.mini.train_llm"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " --threads {threads}"
        " 2>&1 | tee {log:q}"


rule train_mini_questioner:
    output:
        model=f"{MINI_MODELS}/mini-questioner/config.json",
    log:
        layout.log("mini", "questioner"),
    benchmark:
        layout.benchmark("mini", "questioner")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(24),
    params:
        scratch=f"{MINI_SCRATCH}/questioner",
    shell:
        "python -m daitir.mini.train_questioner"
        " --output $(dirname {output.model:q})"
        " --scratch {params.scratch:q}"
        " --threads {threads}"
        " 2>&1 | tee {log:q}"


rule mini_models:
    input:
        rules.train_mini_questioner.output,
        rules.train_mini_sd3.output,
        rules.train_mini_blip.output,
        rules.train_mini_llm.output,
