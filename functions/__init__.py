"""The sources of the Lambda functions. They use the standard library and boto3, which the runtime brings along."""
