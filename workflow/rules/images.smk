rule generate_images:
    input:
        unpack(plan.released_images),
        queries=layout.queries("{reformulator}", "{dialogues}", "{shard}"),
        known=ancient(plan.known_images),
    output:
        images=layout.images("{generator}", "{reformulator}", "{dialogues}", "{shard}"),
    log:
        layout.log("images", "{generator}", "{reformulator}", "{dialogues}", "shard-{shard}"),
    benchmark:
        layout.benchmark("images", "{generator}", "{reformulator}", "{dialogues}", "shard-{shard}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(48),
        runtime=hours(4),
        gpu=plan.gpu("generator", "generator"),
    params:
        options=plan.generate_options,
        how=plan.how("generator", "generator"),
        scratch=layout.scratch("images", "{generator}", "{reformulator}", "{dialogues}", "shard-{shard}"),
    shell:
        "python -m daitir.stages.generate"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --queries {input.queries:q}"
        " --known {input.known:q}"
        " --dialogues {input.dialogues:q}"
        " --folder {input.folder:q}"
        " --scratch {params.scratch:q}"
        " --output {output.images:q}"
        " 2>&1 | tee {log:q}"
