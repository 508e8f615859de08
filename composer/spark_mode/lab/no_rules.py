"""What holds where rules.yaml cannot be read: nothing is known of any service, so all that can be done is to stop it."""

from spark_mode.lab.rules import Rules

NO_RULES = Rules.model_validate(
    {
        "hardware": {"name": "unknown", "capacity": "auto"},
        "limits": {"fits_easily": "0GB", "fits": "0GB", "tight": "0GB", "headroom": "1GB", "floor": "0GB"},
        "overhead": {
            "system": "0GB",
            "per_class": "0GB",
            "burst": {"cuda_context": {"low": "0GB", "high": "0GB"}, "kv_cache": {"low": "0GB", "high": "0GB"}},
        },
        "classes": {},
        "workloads": {},
    }
)
