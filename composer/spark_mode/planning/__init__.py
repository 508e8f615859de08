"""What shall happen: budget, conflicts, plan and rollback as data. Pure: nothing here touches the world."""
