trained = layout.fusion("{fusion}", "{encoder}", "{generator}", "{reformulator}", "{seed}")


rule train_fusion:
    input:
        unpack(plan.train_inputs),
    output:
        weights=f"{trained}/model.safetensors",
        history=f"{trained}/history.parquet",
    log:
        layout.log(
            "fusions",
            "{fusion}",
            "{encoder}",
            "{generator}",
            "{reformulator}",
            "seed-{seed}",
        ),
    benchmark:
        layout.benchmark(
            "fusions",
            "{fusion}",
            "{encoder}",
            "{generator}",
            "{reformulator}",
            "seed-{seed}",
        )
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(2),
        gpu=plan.gpu("fusion", "fusion"),
    params:
        options=plan.train_options,
        how=plan.how("fusion", "fusion"),
        scratch=layout.scratch(
            "fusions",
            "{fusion}",
            "{encoder}",
            "{generator}",
            "{reformulator}",
            "seed-{seed}",
        ),
    shell:
        "python -m daitir.stages.train"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --dialogues {input.dialogues:q}"
        " --queries {input.queries:q}"
        " --pictures {input.pictures:q}"
        " --corpus {input.corpus:q}"
        " --seed {wildcards.seed}"
        " --scratch {params.scratch:q}"
        " --output {output.weights:q}"
        " --history {output.history:q}"
        " 2>&1 | tee {log:q}"


rule plot_training:
    input:
        histories=plan.fusion_histories,
    output:
        figure=in_report(
            layout.figure("training-{system}"), "figures/training", "Trainings", trained="{system}"
        ),
    log:
        layout.log("figures", "training-{system}"),
    benchmark:
        layout.benchmark("figures", "training-{system}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(1),
    params:
        options=plan.plot_options,
    shell:
        "python -m daitir.stages.plot_training"
        " --kind fusion"
        " --title {wildcards.system:q}"
        " --histories {input.histories:q}"
        " --output {output.figure:q}"
        " 2>&1 | tee {log:q}"
