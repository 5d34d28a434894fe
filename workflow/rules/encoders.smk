tuned = layout.tuned_encoder("{encoder}", "{seed}")


rule tune_encoder:
    input:
        unpack(plan.tune_inputs),
        images=ancient(plan.tune_images),
    output:
        model=directory(f"{tuned}/model"),
        history=f"{tuned}/history.parquet",
    log:
        layout.log("encoders", "{encoder}", "seed-{seed}"),
    benchmark:
        layout.benchmark("encoders", "{encoder}", "seed-{seed}")
    conda:
        "../../envs/daitir.yaml"
    threads: plan.processes
    resources:
        mem_mb=gigabytes(32),
        runtime=hours(24),
        nodes=1,
        gpu=plan.gpus_to_tune,
    params:
        launcher=plan.launcher,
        options=plan.tune_options,
        how=plan.how_to_tune,
        scratch=layout.scratch("encoders", "{encoder}", "seed-{seed}"),
    shell:
        "{params.launcher} -m daitir.stages.tune"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --dialogues {input.dialogues:q}"
        " --queries {input.queries:q}"
        " --shards {input.shards:q}"
        " --list {input.list:q}"
        " --images {input.images:q}"
        " --seed {wildcards.seed}"
        " --scratch {params.scratch:q}"
        " --output {output.model:q}"
        " --history {output.history:q}"
        " 2>&1 | tee {log:q}"


rule plot_tuning:
    input:
        histories=plan.tuning_histories,
    output:
        figure=in_report(
            layout.figure("tuning-{encoder}"), "figures/tuning", "Trainings", trained="{encoder}"
        ),
    log:
        layout.log("figures", "tuning-{encoder}"),
    benchmark:
        layout.benchmark("figures", "tuning-{encoder}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(1),
    params:
        options=plan.plot_options,
    shell:
        "python -m daitir.stages.plot_training"
        " --kind encoder"
        " --title {wildcards.encoder:q}"
        " --histories {input.histories:q}"
        " --output {output.figure:q}"
        " 2>&1 | tee {log:q}"


rule compare_views:
    input:
        unpack(plan.view_inputs),
        images=ancient(plan.view_images),
    output:
        table=in_report(
            layout.table("views-{encoder}.{dialogues}"),
            "tables/views",
            "Trainings",
            trained="{encoder}",
            dialogues="{dialogues}",
        ),
        figure=in_report(
            layout.figure("views-{encoder}.{dialogues}"),
            "figures/views",
            "Trainings",
            trained="{encoder}",
            dialogues="{dialogues}",
        ),
    log:
        layout.log("figures", "views-{encoder}.{dialogues}"),
    benchmark:
        layout.benchmark("figures", "views-{encoder}.{dialogues}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(2),
    params:
        options=plan.view_options,
        encoders=plan.view_encoders,
    shell:
        "python -m daitir.stages.compare_views"
        " --options {params.options:q}"
        " --dialogues {input.dialogues:q}"
        " --shards {input.shards:q}"
        " --list {input.list:q}"
        " --images {input.images:q}"
        " {params.encoders}"
        " --output {output.table:q}"
        " --figure {output.figure:q}"
        " 2>&1 | tee {log:q}"
