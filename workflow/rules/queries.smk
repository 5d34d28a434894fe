rule reformulate_dialogues:
    input:
        dialogues=layout.dialogues("{dialogues}"),
        released=plan.released_queries,
        known=ancient(plan.known_queries),
    output:
        queries=layout.queries("{reformulator}", "{dialogues}", "{shard}"),
    log:
        layout.log("queries", "{reformulator}", "{dialogues}", "shard-{shard}"),
    benchmark:
        layout.benchmark("queries", "{reformulator}", "{dialogues}", "shard-{shard}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(24),
        runtime=hours(4),
        gpu=plan.gpu("reformulator", "reformulator"),
    params:
        options=plan.reformulate_options,
        how=plan.how("reformulator", "reformulator"),
        scratch=layout.scratch("queries", "{reformulator}", "{dialogues}", "shard-{shard}"),
    shell:
        "python -m daitir.stages.reformulate"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --dialogues {input.dialogues:q}"
        " --released {input.released:q}"
        " --known {input.known:q}"
        " --shard {wildcards.shard}"
        " --scratch {params.scratch:q}"
        " --output {output.queries:q}"
        " 2>&1 | tee {log:q}"
