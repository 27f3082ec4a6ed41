"""The broker's refusals by code, each with its status and message."""

from copytrade.paper.exchange.orders import Refusal

#: From the broker's documentation, or as seen in production or in the sandbox.
REFUSALS = {
    refusal.code: refusal
    for refusal in (
        Refusal(
            401, "DH-901", "Invalid_Authentication", "Client ID or user generated access token is invalid or expired."
        ),
        Refusal(
            403,
            "DH-902",
            "Invalid_Access",
            "User has not subscribed to Data APIs or does not have access to Trading APIs.",
        ),
        Refusal(400, "DH-903", "User_Account", "Errors related to User's Account."),
        Refusal(429, "DH-904", "Rate_Limit", "Too many requests on server from single user breaching rate limits."),
        Refusal(400, "DH-905", "Input_Exception", "Missing required fields, bad values for parameters etc."),
        Refusal(400, "DH-906", "Order_Error", "Market is Closed! You cannot modify/cancel an order now."),
        Refusal(400, "DH-907", "Data_Error", "System is unable to fetch data due to incorrect parameters."),
        Refusal(500, "DH-908", "Internal_Server_Error", "Server was not able to process API request."),
        Refusal(
            500, "DH-909", "Network_Error", "Network error where the API was unable to communicate with the backend."
        ),
        Refusal(400, "DH-910", "Others", "Error originating from other reasons."),
        Refusal(400, "DH-911", "Invalid_IP", "Invalid IP"),
    )
}
